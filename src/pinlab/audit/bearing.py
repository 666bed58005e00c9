"""Which functions of a file can have to do with pages that some site took.

Two of three files that put a page are of a driver that pins nothing. Only those of their functions
are read that let go, dirty, or call what may hand pages out, that set a member which one of these
names, that call such a function by whatever chain, and that one of all these calls: what comes to a
release within the file comes by way of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Final

_WORD: Final = re.compile(rb"\w+")
_SET: Final = re.compile(rb"(?:->|\.)\s*(\w+)\s*(?:\[[^]=]*\]\s*)?=(?!=)")


def words(source: bytes) -> set[str]:
    """Every name in a text of C."""
    return set(map(bytes.decode, _WORD.findall(source)))


def bearing(
    definitions: Sequence[tuple[str, bytes]], tables: Iterable[tuple[str, str]], sought: Set[str]
) -> set[int]:
    """The numbers of those (name, text) that can have to do with one of the names sought.

    `tables` are the (member, function) of the file: who calls by a member calls all that are there.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for number, (name, _) in enumerate(definitions):
        numbers[name].add(number)
    for member, name in tables:
        numbers[member] |= numbers.get(name, set())
    named = [words(text) for _, text in definitions]
    first = {number for number, names in enumerate(named) if names & sought}
    touched = set().union(*(named[number] for number in first))
    first |= {
        number
        for number, (_, text) in enumerate(definitions)
        if not touched.isdisjoint(map(bytes.decode, _SET.findall(text)))
    }
    calls = [set().union(*(numbers[name] for name in names & numbers.keys())) for names in named]
    callers: dict[int, set[int]] = defaultdict(set)
    for number, callees in enumerate(calls):
        for callee in callees:
            callers[callee].add(number)
    return _closed(_closed(first, callers.__getitem__), calls.__getitem__)


def _closed(some: set[int], after: Callable[[int], set[int]]) -> set[int]:
    """`some`, and what comes after them, by any number of steps."""
    found = set(some)
    todo = list(some)
    while todo:
        new = after(todo.pop()) - found
        found |= new
        todo += new
    return found
