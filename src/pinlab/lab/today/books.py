"""What must be so in 7.2 when all tasks have finished, whoever came first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pinlab.lab.explore.result import Audit
from pinlab.lab.layout import CHILD, CPUS, MAPPINGS, PRIVATE, SHARED, SHARED2
from pinlab.lab.today.linux.types import (
    PAGES,
    PMD_LEAF,
    PTE_DIRTY,
    PTE_PFN,
    PTE_SWAP,
    PTE_WRITE,
)

Values = Mapping[str, Sequence[int]]

LOCKS: Final = (
    *("Folio.PG_locked", "Folio.PG_writeback", "Mm.mmap_lock", "Vma.ptl", "irqs_off", "zone_lock"),
    *("AddressSpace.i_rwsem", "AddressSpace.invalidate_lock", "AddressSpace.i_mmap_rwsem"),
    *("AddressSpace.i_private_lock", "AddressSpace.xa_lock", "anon_vma_lock", "swap_cluster_lock"),
)
"""What is free, off or over at rest."""


def books(initial: Values) -> Audit:
    """What judges the states at rest of a scenario that begins with these values. Nobody holds a
    page from before."""
    return lambda values: _wrong(_Books(values))


@dataclass(frozen=True, slots=True)
class _Books:
    """The values of one state at rest."""

    values: Values

    def one(self, name: str) -> int:
        """A variable of one element; 0 if the program has none of this name."""
        return self.values.get(name, (0,))[0]

    def of(self, frame: int, name: str) -> int:
        """A field of a folio or page."""
        return self.values[name][frame - 1] if name in self.values else 0

    def entries(self, mapping: int) -> Iterator[int]:
        """What is present of a mapping: its entry or, of a leaf, what the entry would be."""
        leaf = self.values["Vma.pmd"][mapping - 1] if "Vma.pmd" in self.values else 0
        entry = self.values["Vma.pte"][mapping - 1]
        if leaf > PMD_LEAF:
            yield leaf - PMD_LEAF | PTE_WRITE | PTE_DIRTY
        elif 0 < entry < PTE_SWAP:
            yield entry

    def mapped(self, frame: int, mappings: Sequence[int] = MAPPINGS) -> list[int]:
        """The entries that point to a page."""
        every = (entry for mapping in mappings for entry in self.entries(mapping))
        return [entry for entry in every if entry & PTE_PFN == frame]


def _wrong(books: _Books) -> Iterator[str]:
    for name in LOCKS:
        if any(books.values.get(name, ())):
            yield f"{name} is not {'over' if name.endswith('writeback') else 'given back'}"
    for frame in range(1, PAGES + 1):
        yield from _counts(books, frame)
        yield from _cache(books, frame)
        yield from _anonymous(books, frame)
    yield from _swap(books)
    yield from _tlb(books)


def _counts(books: _Books, frame: int) -> Iterator[str]:
    """References are those of the cache, of the swap cache, of buffers and of entries; a mapcount
    is the number of entries less one; who has no user is free."""
    entries = len(books.mapped(frame))
    caches = (books.one("AddressSpace.i_pages"), books.one("swap_cache"))
    owed = entries + caches.count(frame) + books.of(frame, "Folio.PG_private")
    refs = books.of(frame, "Folio._refcount")
    if refs != owed:
        yield f"folio {frame} has {'more' if refs > owed else 'fewer'} references than users"
    if books.of(frame, "Folio._mapcount") != entries - 1:
        yield f"folio {frame} has a mapcount that is not its entries"
    if refs == 0 and not books.of(frame, "Folio.PageBuddy"):
        yield f"folio {frame} has no user and is not free"
    if refs > 0 and not books.of(frame, "Folio.PG_lru"):
        yield f"folio {frame} is used and on no LRU"


def _cache(books: _Books, frame: int) -> Iterator[str]:
    """A folio of the file is in the cache if and only if it says so, has buffers only there, is
    dirty or what the disk has, and clean only behind clean entries."""
    is_cached = books.one("AddressSpace.i_pages") == frame
    if is_cached != bool(books.of(frame, "Folio.mapping")):
        yield f"folio {frame} is {'in' if is_cached else 'out of'} the cache and says otherwise"
    if books.of(frame, "Folio.PG_private") and not is_cached:
        yield f"folio {frame} has buffers and no file"
    if books.mapped(frame) and not is_cached and not books.of(frame, "Folio.PG_anon"):
        yield f"folio {frame} is mapped and of no file"
    if not is_cached:
        return
    if books.of(frame, "Folio.PG_dirty"):
        if not books.of(frame, "Folio.PG_private"):
            yield f"folio {frame} is dirty and has no buffers"
        return
    shared = books.mapped(frame, (SHARED, SHARED2))
    if any(entry & (PTE_WRITE | PTE_DIRTY) for entry in shared):
        yield f"folio {frame} is clean and has an entry that is not"
    if books.values["disk"][1] != books.of(frame, "Page.data"):
        yield f"folio {frame} is clean and not what the disk has"


def _anonymous(books: _Books, frame: int) -> Iterator[str]:
    """A private page that may be stored into is exclusive, and what is exclusive one process
    has."""
    own = books.mapped(frame) if books.of(frame, "Folio.PG_anon") else []
    exclusive = books.of(frame, "Page.PageAnonExclusive")
    if any(entry & PTE_WRITE for entry in own) and not exclusive:
        yield f"page {frame} is mapped writable and not exclusive"
    if exclusive and len(own) > 1:
        yield f"page {frame} is exclusive and mapped twice"
    private = books.mapped(frame, (PRIVATE, CHILD))
    if any(entry & PTE_WRITE for entry in private) and not books.of(frame, "Folio.PG_anon"):
        yield f"page {frame} is the file's and mapped writable in private"


def _swap(books: _Books) -> Iterator[str]:
    """The slot's count is that of its entries; it is in use if there are any, or a folio."""
    entries = [entry for entry in books.values["Vma.pte"] if entry >= PTE_SWAP]
    if any(entry & PTE_PFN for entry in entries):
        yield "a page is being migrated by nobody"
    count = books.one("swap_count")
    if count != sum(not entry & PTE_PFN for entry in entries):
        yield "the slot's count is not its entries"
    in_use = bool(count or books.one("swap_cache"))
    if "swap_used" in books.values and bool(books.one("swap_used")) != in_use:
        yield f"the slot is {'free' if in_use else 'taken'} and should not be"


def _tlb(books: _Books) -> Iterator[str]:
    """No TLB knows more than the page tables."""
    present = [entry for mapping in MAPPINGS for entry in books.entries(mapping)]
    for cpu in range(CPUS):
        cached = books.values["tlb"][cpu] if "tlb" in books.values else 0
        allowed = PTE_PFN | (cached & PTE_WRITE)
        if cached and not any(entry & allowed == cached & allowed for entry in present):
            yield f"a TLB has an entry of page {cached & PTE_PFN} that is gone"
