"""The books of the model: what must be so when everybody has finished (I16).

The rules are those of struct page, as include/linux/mm_types.h, mm.h and page-flags.h of 4.20 say
them. Only rest is judged: a look at the end of one task would see another half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pinlab.lab.explore.result import Audit
from pinlab.lab.linux.types import (
    CHILD,
    CPUS,
    FILE_PAGES,
    PAGES,
    PRIVATE,
    PTE_DIRTY,
    PTE_PFN,
    PTE_WRITE,
)

Values = Mapping[str, Sequence[int]]

LOCKS: Final = (
    *("Page.PG_locked", "Page.PG_writeback", "Mm.mmap_sem", "Vma.ptl", "irqs_off", "zone_lock"),
    *("AddressSpace.i_rwsem", "AddressSpace.i_mmap_sem", "AddressSpace.i_mmap_rwsem"),
    "AddressSpace.private_lock",
)
"""What is free, off or over at rest. A device never rests, and its engine's lock may be taken."""


def books(initial: Values) -> Audit:
    """What judges the states at rest of a scenario that begins with these values."""
    refs, maps, free = (initial[f"Page.{name}"] for name in ("_refcount", "_mapcount", "PageBuddy"))
    cached = initial["AddressSpace.i_pages"]
    held = frozenset(
        page
        for page in range(1, PAGES + 1)
        if refs[page - 1] == 1 and maps[page - 1] == -1 and not free[page - 1]
        if page not in cached
    )
    is_dax = bool(initial.get("dax", (0,))[0])
    return lambda values: _wrong(_Books(values, held, cached[0] if is_dax else 0))


@dataclass(frozen=True, slots=True)
class _Books:
    """The values of one state at rest; the pages that somebody else has; the page on DAX, or 0."""

    values: Values
    held: frozenset[int]
    dax: int

    def of(self, page: int, name: str) -> int:
        """A field of a page."""
        return self.values[f"Page.{name}"][page - 1] if f"Page.{name}" in self.values else 0

    def entries(self, page: int) -> list[int]:
        """The page table entries that map a page."""
        return [entry for entry in self.values["Vma.pte"] if entry & PTE_PFN == page]

    def cached(self, page: int) -> int:
        """How often the page cache has a page."""
        return self.values["AddressSpace.i_pages"].count(page)


def _wrong(books: _Books) -> Iterator[str]:
    for name in LOCKS:
        if any(books.values.get(name, ())):
            yield f"{name} is not {'over' if name.endswith('writeback') else 'given back'}"
    for page in range(1, PAGES + 1):
        yield from _counts(books, page)
        if page != books.dax:
            yield from _cache(books, page)
    yield from _stores(books)
    yield from _entries(books)


def _counts(books: _Books, page: int) -> Iterator[str]:
    """References are those of the cache, of entries and of holders; a mapcount is the number of
    entries less one. Entries of DAX pages count nothing, and the device has one reference."""
    entries = 0 if page == books.dax else len(books.entries(page))
    owed = entries + books.cached(page) + int(page in books.held)
    owed = 1 if page == books.dax else owed
    refs, maps = books.of(page, "_refcount"), books.of(page, "_mapcount")
    if refs != owed:
        yield f"page {page} has {'more' if refs > owed else 'fewer'} references than users"
    if maps != entries - 1:
        yield f"page {page} has a mapcount that is not its entries"
    if refs == 0 and not books.of(page, "PageBuddy"):
        yield f"page {page} has no user and is not free"


def _cache(books: _Books, page: int) -> Iterator[str]:
    """A page of the file is in the cache if and only if it says so, and then on the LRU; it has
    buffers only there, and is mapped only from there."""
    is_cached = bool(books.cached(page))
    says = bool(books.of(page, "mapping"))
    if is_cached != says:
        yield f"page {page} is {'in' if is_cached else 'out of'} the cache and says otherwise"
    if is_cached and not books.of(page, "PG_lru"):
        yield f"page {page} is in the cache and on no LRU"
    if books.of(page, "PagePrivate") and not is_cached:
        yield f"page {page} has buffers and no file"
    if books.entries(page) and not is_cached and not books.of(page, "PG_anon"):
        yield f"page {page} is mapped and of no file"


def _stores(books: _Books) -> Iterator[str]:
    """What was stored into a page of the file is on the disk, or the page is there and dirty."""
    for index in range(FILE_PAGES):
        page = books.values["AddressSpace.i_pages"][index]
        block = books.values["AddressSpace.block"][index]
        was = index + 1  # the frame that a page of the file has, as long as it is there
        is_freed = block and not page and books.of(was, "PageBuddy")
        if is_freed and books.values["disk"][block] != books.of(was, "data"):
            yield f"page {was} was freed, and what was stored into it is lost"
        if not page or page == books.dax or books.of(page, "PG_dirty"):
            continue
        if any(entry & (PTE_WRITE | PTE_DIRTY) for entry in _shared(books, page)):
            yield f"page {page} is clean and has an entry that is not"
        if block and books.values["disk"][block] != books.of(page, "data"):
            yield f"page {page} is clean and not what the disk has"


def _shared(books: _Books, page: int) -> list[int]:
    mappings = books.values["Vma.pte"][: (PRIVATE - 1) * FILE_PAGES]
    return [entry for entry in mappings if entry & PTE_PFN == page]


def _entries(books: _Books) -> Iterator[str]:
    """No TLB knows more than the page tables; a writable private entry has its page alone."""
    pte = books.values["Vma.pte"]
    for cpu in range(CPUS):
        cached = books.values["tlb"][cpu] if "tlb" in books.values else 0
        allowed = PTE_PFN | (cached & PTE_WRITE)
        if cached and not any(entry & allowed == cached & allowed for entry in pte):
            yield f"a TLB has an entry of page {cached & PTE_PFN} that is gone"
    for mapping in (PRIVATE, CHILD):
        for entry in pte[(mapping - 1) * FILE_PAGES : mapping * FILE_PAGES]:
            if entry & PTE_WRITE and len(books.entries(entry & PTE_PFN)) > 1:
                yield f"page {entry & PTE_PFN} is shared and mapped writable in private"
