"""Initial states of 4.20 said in words, as `dirty+buffers rw+rw2`; the books give the counts.

A word says what is so, never what follows from it: references are those of the cache, of page
table entries and of holders; a mapcount is the number of entries less one; the cache has a page
if and only if page->mapping says so. Frames that no word speaks of belong to somebody else (1, 2)
or are free (3, 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pinlab.errors import UsageError
from pinlab.lab.layout import CHILD, CPU_DATA, MAPPINGS, PRIVATE, SHARED, SHARED2
from pinlab.lab.linux.types import FILE_PAGES, PAGES, PTE_DIRTY, PTE_WRITE
from pinlab.lab.scenarios.state import Initial, State, mappings, said

READ_ONLY: Final = 0
WRITABLE: Final = PTE_WRITE | PTE_DIRTY

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clean": "what a CPU stored into page 0 of the file is on the disk",
        "dirty": "it is not, and the page is dirty",
        "buffers": "the page has buffers",
        "two": "page 1 of the file is there as well, and like page 0",
        "ro": "the first process has the page mapped, read-only",
        "rw": "the first process has it mapped and has stored through the entry",
        "ro2": "the second process has it mapped, read-only",
        "rw2": "the second process has it mapped and has stored through the entry",
        "private": "the first process has it in a private mapping, read-only",
        "dax": "the file is on DAX: the page is its block, in no cache",
        "anon": "an anonymous page of the first process instead, mapped writable",
        "forked": "that page, shared read-only with a child",
        "unshared": "that page, read-only as fork left it, and the child is gone",
    }
)

STATES: Final = (
    *("dirty+buffers rw", "dirty+buffers rw+rw2", "dirty+buffers rw+private", "dirty+buffers ro"),
    *("dirty+buffers", "clean+buffers", "clean+buffers ro", "clean", "clean ro"),
    "clean+buffers private",
    *("dirty+buffers+two rw", "dax rw", "dax rw+rw2", "anon", "anon+forked"),
    "anon+unshared",
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
    ("clean", "dirty", "anon", "dax"),
    ("forked", "unshared"),
    ("ro", "rw"),
    ("ro2", "rw2"),
    *(("anon", word) for word in ("buffers", "two", *_ENTRIES)),
    *(("dax", word) for word in ("buffers", "two", "private")),
)
"""Words of which at most one can be so."""

KEYS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"gup_fast_works": (1,), "irq_unpin_works": (1,)}
)
"""A design is believed to pin in GUP-fast and to unpin in interrupts until a probe says no."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A page frame that somebody has."""

    number: int
    index: int | None = None
    flags: tuple[str, ...] = ()
    data: int = 0
    entries: Mapping[int, int] = field(default_factory=dict)
    holders: int = 0
    is_counted: bool = True
    """Whether entries take references (those of DAX do not)."""


def state(words: str) -> State:
    """The state that words say. Raises UsageError for words that are none, or contradict."""
    chosen = said(words, WORDS, _APART)
    _refuse(chosen)
    frames = _frames(chosen)
    return State(
        tuple(word for word in chosen if word not in _ENTRIES),
        tuple(word for word in chosen if word in _ENTRIES),
        _values(chosen, frames),
        frozenset(mapping for each in frames for mapping in each.entries),
    )


def _refuse(said: tuple[str, ...]) -> None:
    for word in ("forked", "unshared"):
        if word in said and "anon" not in said:
            raise UsageError(f"{word} is said of an anonymous page; say anon as well")
    if {"rw", "rw2"} & set(said) and not {"dirty", "dax"} & set(said):
        raise UsageError("a page that was stored into is dirty (rw); say dirty, or ro")
    if "dirty" in said and "buffers" not in said:
        raise UsageError("a dirty page has buffers on this file system; say dirty+buffers")


def _frames(words: tuple[str, ...]) -> tuple[_Frame, ...]:
    others = (_Frame(1, holders=1), _Frame(2, holders=1))
    if "anon" in words:
        entries = {PRIVATE: READ_ONLY if {"forked", "unshared"} & set(words) else WRITABLE}
        entries |= {CHILD: READ_ONLY} if "forked" in words else {}
        return (*others, _Frame(3, None, ("PG_anon", "PG_dirty"), entries=entries))
    entries = {mapping: bits for word, (mapping, bits) in _ENTRIES.items() if word in words}
    if "dax" in words:
        return (_Frame(1, 0, ("dax",), CPU_DATA, entries, is_counted=False), others[1])
    said = {"dirty": "PG_dirty", "buffers": "PagePrivate"}
    flags = tuple(flag for word, flag in said.items() if word in words)
    first = _Frame(1, 0, flags, CPU_DATA, entries)
    if "two" not in words:
        return (first, others[1])
    return (first, _Frame(2, 1, flags, CPU_DATA, entries))


_FLAGS: Final = ("PG_anon", "PG_dirty", "PagePrivate")


def _values(words: tuple[str, ...], frames: tuple[_Frame, ...]) -> Initial:
    """Every variable that is not as the model has it without a word."""
    flags = {name: [0] * PAGES for name in (*_FLAGS, "mapping", "index", "data", "PageBuddy")}
    refs, maps, lru = [0] * PAGES, [-1] * PAGES, [1] * PAGES
    cache, block, disk = [0] * FILE_PAGES, [0] * FILE_PAGES, [0] * 4
    pte = [0] * (len(MAPPINGS) * FILE_PAGES)
    for each in frames:
        at, index = each.number - 1, each.index or 0
        for name in _FLAGS:
            flags[name][at] = int(name in each.flags)
        flags["data"][at] = each.data
        if each.index is not None:
            flags["mapping"][at], flags["index"][at] = 1, index
            cache[index] = block[index] = each.number
            if "PG_dirty" not in each.flags and "dax" not in words:
                disk[each.number] = each.data
        for mapping, bits in each.entries.items():
            pte[(mapping - 1) * FILE_PAGES + index] = each.number | bits
        counted = len(each.entries) if each.is_counted else 0
        refs[at] = int(each.index is not None) + counted + each.holders
        maps[at] = counted - 1
    taken = {each.number for each in frames}
    flags["PageBuddy"] = [int(number not in taken) for number in range(1, PAGES + 1)]
    if "dax" in words:
        lru = [0] * PAGES
    mapped = {mapping for each in frames for mapping in each.entries}
    return {
        **KEYS,
        **{key: (1,) for key in ("dax", "truncates") if "dax" in words},
        "two_pages": (int("two" in words),),
        "Page._refcount": tuple(refs),
        "Page._mapcount": tuple(maps),
        "Page.PG_lru": tuple(lru),
        **{f"Page.{name}": tuple(values) for name, values in flags.items()},
        "AddressSpace.i_pages": tuple(cache),
        "AddressSpace.block": tuple(block),
        "disk": tuple(disk),
        "Vma.pte": tuple(pte),
        **mappings(mapped, is_file="anon" not in words),
    }
