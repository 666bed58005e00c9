"""The scan: every struct page is looked at once, and nearly all are dismissed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.counting import count
from pinlab.field.census.reading import Reading
from pinlab.field.census.struct_page import column, flag, hugetlb, leads, tail, typed
from pinlab.field.layout.page import PIN_BIAS, PageLayout
from pinlab.field.memory.reader import Chunk, PfnRange, Reader


@dataclass(frozen=True, slots=True)
class Candidates:
    """Frames of folios that may be pinned; of a large one its head."""

    small: NDArray[np.uint64]
    large: NDArray[np.uint64]
    scanned: int
    """Struct pages looked at."""


def scan(
    reader: Reader, layout: PageLayout, places: Iterable[PfnRange], *, references: bool = False
) -> Candidates:
    """All that may be pinned in `places`, and with `references` all that may have some which no
    book explains. Raises ReaderError."""
    small: list[NDArray[np.uint64]] = []
    large: list[NDArray[np.uint64]] = []
    scanned = 0
    for chunk in reader.chunks(places):
        scanned += len(chunk.pages)
        found = candidates(chunk, layout, reader.vmemmap)
        if references:
            others = referenced(chunk, layout, reader.vmemmap)
            found = np.union1d(found[0], others[0]), np.union1d(found[1], others[1])
        for kind, rows in zip((small, large), found, strict=True):
            if len(rows):
                kind.append(rows.astype(np.uint64) + np.uint64(chunk.first))
    return Candidates(_joined(small), _joined(large), scanned)


def referenced(
    chunk: Chunk, layout: PageLayout, vmemmap: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of a chunk that are a small, or the head of a large, folio of a user or a file
    whose references are more than its books say."""
    pages = chunk.pages
    mapping = column(pages, layout.mapping)
    refs = column(pages, layout.refcount).view(np.int32)
    mapped = column(pages, layout.mapcount).view(np.int32)
    cached = (mapping & np.uint64(3)) == 0
    more = (mapping != 0) & (refs > 0) & (refs.astype(np.int64) - mapped - 1 - cached > 0)
    small = np.flatnonzero(more)
    rows = pages[small]
    small = small[~flag(rows, layout, "head") & ~tail(rows, layout) & ~typed(rows, layout)]
    large = np.flatnonzero(flag(pages[:-1], layout, "head"))
    found = []
    for at, is_large in ((small, False), (large, True)):
        heads = pages[at]
        tails = pages[at + 1] if is_large else heads[:, :0]
        pfn = at.astype(np.uint64) + np.uint64(chunk.first)
        good = np.ones(len(at), np.bool_)
        leading = leads(tails, pfn, layout, vmemmap) if is_large else good
        reading = Reading(pfn, heads, tails, is_large, good, leading, np.zeros(len(at), np.int64))
        found.append(at[count(reading, layout, ()).referenced])
    return found[0], found[1]


def _joined(parts: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def candidates(
    chunk: Chunk, layout: PageLayout, vmemmap: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of a chunk that are a small, or the head of a large, folio that may be pinned.

    Most struct pages are dismissed by two looks at one cache line, which is what makes a census
    as fast as memory. A large folio never lies across two chunks.
    """
    pages = chunk.pages
    refs = column(pages, layout.refcount)
    # At least 1024, and not so many that the count is below 0 or has been poisoned.
    many = (refs - np.uint32(PIN_BIAS)) < np.uint32((1 << 31) - PIN_BIAS)
    small = np.flatnonzero(many)
    if len(small):
        rows = pages[small]
        keep = ~flag(rows, layout, "head") & ~tail(rows, layout) & ~typed(rows, layout)
        small = small[keep]
    heads = np.flatnonzero(flag(pages[:-1], layout, "head"))
    if len(heads):
        pinned = column(pages, layout.pincount)[heads + 1].view(np.int32) > 0
        heads = heads[pinned]
    if len(heads):
        rows = pages[heads]
        pfn = heads.astype(np.uint64) + np.uint64(chunk.first)
        keep = ~tail(rows, layout) & leads(pages[heads + 1], pfn, layout, vmemmap)
        keep &= ~typed(rows, layout) | hugetlb(rows, pages[heads + 1], layout)
        keep &= column(rows, layout.refcount).view(np.int32) > 0
        heads = heads[keep]
    return small, heads
