"""What a file of C says, as far as the audit asks: functions, what they call, where values go.

A *place* is what can hold pages, written as a path without indices, stars and ampersands: for the
audit `&region->pages[i]`, `*region->pages` and `region->pages + i` are all `region.pages`. The
result of the n-th call of a function is the place `#n`. A *value* is every place that an
expression may denote.

All of it is tuples: half a million of them go through a pipe and a cache.
"""

from __future__ import annotations

from typing import NamedTuple

Value = tuple[str, ...]


class Test(NamedTuple):
    """A condition around a statement, and whether it must hold or must not."""

    text: str
    taken: bool


class Call(NamedTuple):
    """A call; `position` is its offset in the file, which orders it among the others."""

    name: str
    through: bool
    """It goes through a member of a structure, which has that name: nobody knows to which one."""
    args: tuple[Value, ...]
    texts: tuple[str, ...]
    line: int
    position: int
    tests: tuple[Test, ...]
    guards: tuple[tuple[int, str], ...]
    """Conditions before it, in the same block or one around it, under which the block is left; each
    with its place."""


class Flow(NamedTuple):
    """Something is assigned: what one place holds, another may hold after it."""

    value: Value
    to: str
    whole: bool
    """Neither side has an index: for arrays both are then names of one thing."""
    text: str
    """The right side as it is written, cut."""
    line: int
    position: int
    tests: tuple[Test, ...]


class Label(NamedTuple):
    """A label; `jumped_to` if the statement before it leaves, so that only a goto comes to it."""

    position: int
    name: str
    jumped_to: bool
    returned: bool
    """That statement returns: the function had succeeded."""


class Function(NamedTuple):
    """A function's definition."""

    name: str
    line: int
    end: int
    static: bool
    params: tuple[str, ...]
    types: dict[str, str]
    """Of parameters and locals: the structure, by its tag or its typedef; "" if there is none, and
    "int" for numbers that are too small for an address or a frame's number."""
    calls: tuple[Call, ...]
    flows: tuple[Flow, ...]
    returns: tuple[tuple[Value, int], ...]
    """What it returns, and the line."""
    labels: tuple[Label, ...]
    objects: frozenset[str]
    """Locals that are structures themselves and no pointers to some."""
    members: frozenset[str]
    """Every member of a structure that its places have."""


class Loose(NamedTuple):
    """A call of interest outside of every function that the parser knows, or in a macro."""

    name: str
    function: str
    line: int
    macro: bool


class Unit(NamedTuple):
    """A file."""

    path: str
    functions: tuple[Function, ...]
    structs: dict[str, dict[str, str]]
    """Each structure's members that are structures themselves."""
    tables: tuple[tuple[str, str], ...]
    """Each `.member = function` of an initialiser."""
    loose: tuple[Loose, ...]
    """Mentions of what acquires, where no function was seen to call it."""
    unread: tuple[str, ...] = ()
    """Functions that are too deep to be read."""
    hidden: tuple[Loose, ...] = ()
    """Mentions of what lets a plain reference go, where no function was seen to call it."""
    macros: frozenset[str] = frozenset()
    """Macros with parameters that it defines."""
    globals: frozenset[str] = frozenset()
    """Variables outside of functions that other files may use."""
