"""A counterexample as a film: what there is between its steps, and which of them it needs.

Here are the types, for whoever shows it; `frames` takes the pictures, `races` asks the explorer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pinlab.lab.results import Trace
from pinlab.objectives.automaton import Automaton

LOCK: Final = "lock"
FLAG: Final = "flag"
COUNT: Final = "count"
VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class Cell:
    """A shared variable, or an element of one: `owner` is what it belongs to, as `Page1`, or empty,
    and `kind` says how a person draws it."""

    name: str
    owner: str
    field: str
    kind: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An actor that cannot go on, and the cells that it waits for."""

    actor: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What there is between two steps: a value a cell, who waits, and the state that the
    objective's automaton has for the page; empty if it has none."""

    values: tuple[str, ...]
    waiting: tuple[Waiting, ...]
    automaton: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A function as it is written, from its line `first` on."""

    function: str
    file: str
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Two steps by number that race for `cells`: the violation needs `before` to come first."""

    before: int
    after: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Which steps the violation needs in the order that they have, and until when all could still
    have gone well.

    `free` are orders that it does not need. `chance` is the last step, by number, before which
    everybody could still have finished without the violation; None if there never was one, or it
    is not known. `unknown` says why something is missing, or is empty; `states` were visited.
    """

    needed: tuple[Order, ...]
    free: tuple[Order, ...]
    chance: int | None
    states: int
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A counterexample with what is between its steps: one frame more than it has steps.

    `page` is the one, counted from 1, whose automaton the frames tell; 0 if the objective is none
    of events. `places` says of each step which of `listings` its line is in.
    """

    trace: Trace
    cells: tuple[Cell, ...]
    frames: tuple[Frame, ...]
    automaton: Automaton | None
    page: int
    listings: tuple[Listing, ...]
    places: tuple[int, ...]
    why: Why | None = None
