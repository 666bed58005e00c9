"""What a reading means: the references that the kernel explains, and the pins among the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.reading import Reading, order_of, pages_of
from pinlab.field.census.result import Confidence, Folios, Kind, on_the_way
from pinlab.field.census.struct_page import column, flag, hugetlb, tail, typed
from pinlab.field.layout.page import PIN_BIAS, LargeMapcount, PageLayout
from pinlab.field.memory.reader import PfnRange

ANON, MOVABLE, KSM = 1, 2, 3
"""Low bits of `mapping` (PAGE_MAPPING_FLAGS)."""

SURE_GETS = 512
"""Up to so many unexplained plain references the number of pins is thought certain."""
SURE_MAPS = 900
"""Up to so many mappings: beyond, mapping and unmapping could pass for a pin."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Folios as counted by one reading. Row i of each is one folio."""

    folios: Folios
    key: NDArray[np.int64]
    """What must not differ between two readings."""
    valid: NDArray[np.bool_]
    """What is a folio, in use, of the size that it was taken for."""
    pinned: NDArray[np.bool_]
    referenced: NDArray[np.bool_]
    """Of a user or a file, with references that no book explains, of whatever kind."""


def count(reading: Reading, layout: PageLayout, device: Iterable[PfnRange]) -> Counted:
    """Count the pins of each folio; `device` are frames of devices (fsdax)."""
    heads, tails = reading.heads, reading.tails
    rows = len(heads)
    refs = column(heads, layout.refcount).astype(np.int64)
    mapping = column(heads, layout.mapping).astype(np.uint64)
    if reading.large:
        order, pages = order_of(tails, layout), pages_of(tails, layout)
        huge = hugetlb(heads, tails, layout)
        mapcount = _large_mapcount(reading, layout, pages, mapping, huge)
    else:
        order, pages = np.zeros(rows, np.int64), np.ones(rows, np.int64)
        huge = np.zeros(rows, np.bool_)
        mapcount = column(heads, layout.mapcount).view(np.int32).astype(np.int64) + 1
    good = _valid(reading, layout, pages, huge)
    dax = _inside(reading.pfn, device)
    held = _caches(heads, layout, pages, mapping, huge)
    expected = mapcount + np.where(dax, layout.device_idle_references, held)
    if dax.any():
        mapping = np.where(dax & (_low(mapping) != 0), np.uint64(0), mapping)
    confidence = np.full(rows, Confidence.EXACT if reading.large else Confidence.BIAS, np.uint8)
    if reading.large:
        pins = column(tails, layout.pincount).view(np.int32).astype(np.int64)
        unexplained = refs - expected - pins
    else:
        pins, unexplained = np.divmod(np.maximum(refs - expected, 0), PIN_BIAS)
        confidence[_doubtful(heads, layout, mapping, mapcount, unexplained)] = Confidence.LOW
    folios = Folios(
        pfn=reading.pfn.copy(),
        order=order.astype(np.uint8),
        pins=pins,
        refcount=refs,
        mapcount=mapcount,
        expected=expected,
        unexplained=unexplained,
        confidence=confidence,
        kind=_kind(mapping),
        hugetlb=huge,
        flags=column(heads, layout.flags).astype(np.uint64),
        mapping=mapping,
        index=column(heads, layout.index).astype(np.uint64),
    )
    key: NDArray[np.int64] = np.stack(
        (pins, refs, mapcount, expected, mapping.view(np.int64), good), axis=1
    )
    # A reference count is an int: from 1 << 31 on it is below 0.
    good = good & (refs > 0) & (refs < 1 << 31)
    others = unexplained - on_the_way(folios, layout.flag_bits["lru"])
    of_users = (folios.kind != Kind.NONE) & (folios.kind != Kind.MOVABLE)
    pinned = good & (pins > 0) & (reading.large | (refs >= PIN_BIAS))
    return Counted(folios, key, good, pinned, good & of_users & (others > 0))


def _valid(
    reading: Reading, layout: PageLayout, pages: NDArray[np.int64], huge: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """What still is a folio of the kind that the scan took it for."""
    heads = reading.heads
    good: NDArray[np.bool_] = reading.good & ~tail(heads, layout)
    if not reading.large:
        return good & ~flag(heads, layout, "head") & ~typed(heads, layout)
    good &= flag(heads, layout, "head") & (pages > 0) & reading.leads
    good &= (reading.pfn.astype(np.int64) & (pages - 1)) == 0
    good &= ~typed(heads, layout) | huge
    return good


def _caches(
    heads: NDArray[np.uint64],
    layout: PageLayout,
    pages: NDArray[np.int64],
    mapping: NDArray[np.uint64],
    huge: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """References of page cache, swap cache and private data (folio_expected_ref_count)."""
    anon = _anon(mapping)
    in_cache = ~anon & (_low(mapping) == 0) & (mapping != 0)
    per_cache = pages if layout.hugetlb_cache_per_page else np.where(huge, 1, pages)
    swapcache = flag(heads, layout, "swapcache") & flag(heads, layout, "swapbacked")
    private = flag(heads, layout, "private") & ~anon
    return np.where(in_cache, per_cache, 0) + np.where(swapcache, pages, 0) + private


def _inside(pfn: NDArray[np.uint64], device: Iterable[PfnRange]) -> NDArray[np.bool_]:
    """Which frames are FS-DAX pages: blocks of a file system, in no page cache and on no LRU.

    `mapping` says whose block it is and is no reference; where several files share it, it is no
    pointer (PAGE_MAPPING_DAX_SHARED). An idle one has one reference before 6.15, however often
    it is mapped (its mapcount stays 0); since then mappings count as everywhere (dax_folio_init
    and dax_folio_put, fs/dax.c, 7.2).
    """
    inside = np.zeros(len(pfn), np.bool_)
    for each in device:
        inside |= (pfn >= each.first) & (pfn < each.end)
    return inside


def _doubtful(
    heads: NDArray[np.uint64],
    layout: PageLayout,
    mapping: NDArray[np.uint64],
    mapcount: NDArray[np.int64],
    unexplained: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Small folios whose other references are so many, or so odd, that they may be pins."""
    odd: NDArray[np.bool_] = ~flag(heads, layout, "uptodate") & (mapping == 0) & (mapcount == 0)
    return odd | (unexplained > SURE_GETS) | (mapcount > SURE_MAPS)


def _kind(mapping: NDArray[np.uint64]) -> NDArray[np.uint8]:
    low = _low(mapping)
    return np.select(
        [low == KSM, _anon(mapping), low == MOVABLE, mapping != 0],
        [Kind.KSM, Kind.ANON, Kind.MOVABLE, Kind.FILE],
        Kind.NONE,
    ).astype(np.uint8)


def _low(mapping: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return mapping & np.uint64(3)


def _anon(mapping: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """PageAnon(): KSM pages are anonymous too."""
    anon: NDArray[np.bool_] = (mapping & np.uint64(ANON)) != 0
    return anon


def _large_mapcount(
    reading: Reading,
    layout: PageLayout,
    pages: NDArray[np.int64],
    mapping: NDArray[np.uint64],
    huge: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """folio_mapcount() of large folios."""
    whole = column(reading.tails, layout.large_mapcount).view(np.int32).astype(np.int64) + 1
    match layout.large_mapcount_rule:
        case LargeMapcount.LARGE:
            return whole
        case LargeMapcount.ENTIRE:
            return whole + reading.mapped
        case LargeMapcount.DOUBLE:
            # A whole mapping of a file is also in the count of each page; one of anonymous
            # memory is if PG_double_map is set, of which each page then has one for all.
            anon = _anon(mapping)
            double = flag(reading.tails, layout, "double_map")
            total = whole + reading.mapped - np.where(anon, 0, whole * pages)
            total -= np.where(anon & double, pages, 0)
            return np.where(huge, whole, total)
