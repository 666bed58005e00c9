"""An initial state: what words say of it, and the values that follow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pinlab.errors import UsageError
from pinlab.lab.layout import CHILD, MAPPINGS, PRIVATE, SHARED, SHARED2
from pinlab.nearest import nearest

Initial = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class State:
    """An initial state: its words, in the order in which its world has them, and the variables'
    values."""

    words: tuple[str, ...]
    """What is said of the page."""
    entries: tuple[str, ...]
    """What is said of entries that map it."""
    values: Initial
    mapped: frozenset[int]
    """The mappings that have an entry."""

    @property
    def name(self) -> str:
        """The words, as they are written."""
        return " ".join("+".join(each) for each in (self.words, self.entries) if each)

    @property
    def kind(self) -> str:
        """What kind of page it is about: file, dax or anon."""
        return next((word for word in ("dax", "anon") if word in self.words), "file")

    def has(self, word: str) -> bool:
        """Whether it was said."""
        return word in self.words or word in self.entries


def said(
    words: str,
    known: Mapping[str, str],
    apart: Iterable[Sequence[str]],
    ask: str = "pinlab list states",
) -> tuple[str, ...]:
    """The words in the order of `known`. Of each of `apart` at most one can be so. Raises
    UsageError for words that are none, or contradict; `ask` is the command that has them."""
    found = [word for word in re.split(r"[\s+,]+", words) if word]
    if not found:
        raise UsageError(f"a state is said in words; `{ask}` explains them")
    for word in found:
        if word not in known:
            raise UsageError(
                f"a state has no word {word!r}: {nearest(word, known)}; `{ask}` explains them"
            )
    for one, other in (pair for group in apart for pair in combinations(group, 2)):
        if one in found and other in found:
            raise UsageError(f"no state is {one} and {other}; leave one of them out")
    return tuple(word for word in known if word in found)


def mappings(used: set[int], *, is_file: bool) -> Initial:
    """Which mappings there are, and of what kind. With a private one there is what fork makes of
    it."""
    there = {*used, CHILD} if PRIVATE in used else used
    return {
        "Vma.present": tuple(int(each in there) for each in MAPPINGS),
        "Vma.VM_FILE": tuple(int(each in there and is_file) for each in MAPPINGS),
        "Vma.VM_SHARED": tuple(
            int(each in there and is_file and each in (SHARED, SHARED2)) for each in MAPPINGS
        ),
    }
