"""Initial states of 7.2 said in words, as `dirty rw+rw2`; the counts follow.

A word says what is so, never what follows from it: references are those of the cache, of buffers,
of page table entries; a mapcount is the number of entries less one; an anonymous page that one
process maps is its own alone. Frames that no word speaks of
are free.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pinlab.errors import UsageError
from pinlab.lab.layout import CHILD, CPU_DATA, MAPPINGS, PRIVATE, SHARED, SHARED2
from pinlab.lab.scenarios.state import Initial, State, mappings, said
from pinlab.lab.today.linux.types import PAGES, PMD_TABLE, PTE_DIRTY, PTE_SWAP, PTE_WRITE

READ_ONLY: Final = 0
WRITABLE: Final = PTE_WRITE | PTE_DIRTY

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clean": "what a CPU stored into the page of the file is on the disk; it has buffers",
        "dirty": "it is not, and the folio and its buffers are dirty",
        "absent": "the page is not in the page cache",
        "ro": "the first process has the page mapped, read-only",
        "rw": "the first process has it mapped and has stored through the entry",
        "ro2": "the second process has it mapped, read-only",
        "rw2": "the second process has it mapped and has stored through the entry",
        "private": "the first process has it in a private mapping, read-only",
        "anon": "an anonymous page of the first process instead, exclusive, mapped writable",
        "readonly": "that page, exclusive, mapped read-only",
        "forked": "that page, shared read-only with a child",
        "swapped": "that page, exclusive, in the swap device and nowhere else",
    }
)

STATES: Final = (
    *("dirty rw", "dirty rw+rw2", "dirty ro", "dirty", "clean", "clean ro", "clean private"),
    *("absent", "anon", "anon+readonly", "anon+forked", "anon+swapped"),
)
"""The states that operations are played from if none is named."""

_ENTRIES: Final = {
    "ro": (SHARED, READ_ONLY),
    "rw": (SHARED, WRITABLE),
    "ro2": (SHARED2, READ_ONLY),
    "rw2": (SHARED2, WRITABLE),
    "private": (PRIVATE, READ_ONLY),
}
_APART: Final = (
    ("clean", "dirty", "absent", "anon"),
    ("ro", "rw"),
    ("ro2", "rw2"),
    ("readonly", "forked", "swapped"),
    *((word, entry) for word in ("absent", "anon") for entry in _ENTRIES),
)

FRAME: Final = 1
"""The frame that the page of a state is in."""


def state(words: str) -> State:
    """The state that words say. Raises UsageError for words that are none, or contradict."""
    chosen = said(words, WORDS, _APART, "pinlab list states --world 7.2")
    entries = _entries(chosen)
    if not {"clean", "dirty", "absent", "anon"} & set(chosen):
        raise UsageError("a state says whether the page is clean, dirty, absent or anon; say which")
    for word in ("readonly", "forked", "swapped"):
        if word in chosen and "anon" not in chosen:
            raise UsageError(f"{word} is said of an anonymous page; say anon as well")
    if {"rw", "rw2"} & set(chosen) and "dirty" not in chosen:
        raise UsageError("a page that was stored into is dirty (rw); say dirty, or ro")
    return State(
        tuple(word for word in chosen if word not in _ENTRIES),
        tuple(word for word in chosen if word in _ENTRIES),
        _values(chosen, entries),
        frozenset({PRIVATE} if "swapped" in chosen else entries),
    )


def _entries(words: tuple[str, ...]) -> dict[int, int]:
    """The entries that map the page, by mapping."""
    if "forked" in words:
        return {PRIVATE: READ_ONLY, CHILD: READ_ONLY}
    if "swapped" in words:
        return {}
    if "anon" in words:
        return {PRIVATE: READ_ONLY if "readonly" in words else WRITABLE}
    return {mapping: bits for word, (mapping, bits) in _ENTRIES.items() if word in words}


def _pte(entries: Mapping[int, int], mapping: int) -> int:
    return FRAME | entries[mapping] if mapping in entries else 0


def _first(value: int, others: int = 0) -> tuple[int, ...]:
    """The values of the frames of which only the first is somebody's."""
    return (value, *(others for _ in range(PAGES - 1)))


def _values(words: tuple[str, ...], entries: Mapping[int, int]) -> Initial:
    """Every variable that is not as the model has it without a word."""
    there, dirty, anon = (int(word in words) for word in ("absent", "dirty", "anon"))
    swapped = int("swapped" in words)
    there, anon = 1 - there - swapped, anon - swapped
    cached = there - anon
    return {
        "Folio._refcount": _first(2 * cached + len(entries)),  # of the cache and of buffers
        "Folio._mapcount": _first(len(entries) - 1, -1),
        "Folio.PG_dirty": _first(dirty),
        "Folio.PG_lru": _first(there),
        "Folio.PG_private": _first(cached),
        "Folio.PG_anon": _first(anon),
        "Page.PageAnonExclusive": _first(anon - int("forked" in words)),
        "Folio.BH_Dirty": _first(dirty),
        "Folio.PageBuddy": _first(1 - there, 1),
        "Folio.mapping": _first(cached),
        "Page.data": _first(CPU_DATA * cached),
        "AddressSpace.i_pages": (FRAME * cached,),
        "AddressSpace.i_size": (1,),
        "disk": (0, CPU_DATA * (1 - dirty)),
        "swap_count": (swapped,),
        "swap_used": (swapped,),
        "Vma.pmd": (PMD_TABLE,) * len(MAPPINGS),
        "Vma.pte": tuple(
            PTE_SWAP | PTE_WRITE if swapped and it == PRIVATE else _pte(entries, it)
            for it in MAPPINGS
        ),
        **mappings({PRIVATE} if swapped else set(entries), is_file="anon" not in words),
    }
