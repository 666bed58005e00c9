"""Every pinned folio of a kernel: how many pins, which other references, whose memory.

The kernel keeps no list of pins, only counts, and of a small folio not even a count of its own:
a pin adds 1024 to the reference count (GUP_PIN_COUNTING_BIAS). So

1. all struct pages are copied out, chunk by chunk, and looked at for two numbers only: a
   reference count of at least 1024, or a `_pincount` above 0 of a large folio;
2. the few folios found are read twice. If what counts differs, they are read again, three times
   at most, and then are *unstable*: something pins, unpins or maps them right now;
3. the references that the kernel can explain (folio_expected_ref_count: mappings, page cache,
   swap cache, private data) are taken off. Of what is left, a large folio's pins are known
   exactly; of a small one every 1024 are one pin.

A small folio with 1024 plain references is pinned to the kernel (folio_maybe_dma_pinned), and
that is right for the kernel, whose question is whether it may be. It is not for us: where the
explained references make up the number it is counted as a *false positive* and not listed.

The census is not one instant. A folio that nobody touches meanwhile is reported exactly; one
that is pinned behind the scan is missed, one unpinned before the second read is left out.

Refused: asking page by page (a minute), stopping the machine, hooking pin and unpin (sees only
what comes after it).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError
from pinlab.field.layout.page import PIN_BIAS, Field, Hugetlb, LargeMapcount, PageLayout
from pinlab.field.layout.page import page_layout as layout_of
from pinlab.field.readers.reader import PAGE_SIZE, Chunk, PfnRange, Reader

ANON, MOVABLE, KSM = 1, 2, 3
"""Low bits of `mapping` (PAGE_MAPPING_FLAGS)."""

REREADS = 3
SURE_GETS = 512
"""Up to so many unexplained plain references the number of pins is thought certain."""
SURE_MAPS = 900
"""Up to so many mappings: beyond, mapping and unmapping could pass for a pin."""
BIGGEST_ORDER = 18
"""A hugetlb page of 1 GiB."""


class Confidence(IntEnum):
    """How sure the number of pins is."""

    EXACT = 0
    """A large folio: the kernel counts its pins apart."""
    BIAS = 1
    """A small folio: every 1024 references are one pin."""
    LOW = 2
    """A small folio whose other references are so many, or so odd, that they may be pins."""
    UNSTABLE = 3
    """It changed between all readings; the last one is reported."""


class Kind(IntEnum):
    """Whose memory a folio is."""

    NONE = 0
    """Nobody's any more (truncated while pinned), or the kernel's own."""
    ANON = 1
    FILE = 2
    KSM = 3
    MOVABLE = 4
    """Of a driver that moves its own pages."""


@dataclass(frozen=True)
class Folios:
    """Folios as columns of one length; row i of each is one folio. Ascending by `pfn`."""

    pfn: NDArray[np.uint64]
    order: NDArray[np.uint8]
    pins: NDArray[np.int64]
    refcount: NDArray[np.int64]
    mapcount: NDArray[np.int64]
    expected: NDArray[np.int64]
    """References that the kernel explains by mappings, page cache, swap cache and private data."""
    unexplained: NDArray[np.int64]
    """Plain references beyond those, pins not counted: transient ones, vmsplice, ..."""
    confidence: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    hugetlb: NDArray[np.bool_]
    flags: NDArray[np.uint64]
    """As the kernel has them; `Census.flag_names` tells the bits."""
    mapping: NDArray[np.uint64]
    """A kernel address, or 0. Not to be shown unasked."""
    index: NDArray[np.uint64]
    """Place in the file, or in the anonymous mapping, in pages."""

    def __len__(self) -> int:
        return len(self.pfn)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Folios:
        """Some of the rows."""
        return Folios(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    @classmethod
    def empty(cls) -> Folios:
        """No folios."""
        return cls(**{name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()})


COLUMNS: dict[str, type[np.generic]] = {
    "pfn": np.uint64,
    "order": np.uint8,
    "pins": np.int64,
    "refcount": np.int64,
    "mapcount": np.int64,
    "expected": np.int64,
    "unexplained": np.int64,
    "confidence": np.uint8,
    "kind": np.uint8,
    "hugetlb": np.bool_,
    "flags": np.uint64,
    "mapping": np.uint64,
    "index": np.uint64,
}
"""The columns of `Folios` and their types."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a census adds up to, and how it agrees with the kernel's own counters."""

    scanned: int
    """Struct pages looked at."""
    unreadable: int
    """Frames that are present but whose struct page is not mapped."""
    false_positives: int
    """Small folios that the kernel takes for pinned and that are not."""
    vanished: int
    """Folios that looked pinned in the scan and were not in the readings after it."""
    acquired: tuple[int, int] | None
    """nr_foll_pin_acquired before and after the census; None without counters."""
    released: tuple[int, int] | None

    @property
    def outstanding(self) -> tuple[int, int] | None:
        """Pins by the kernel's counters, before and after."""
        if self.acquired is None or self.released is None:
            return None
        return self.acquired[0] - self.released[0], self.acquired[1] - self.released[1]

    @property
    def moved(self) -> bool:
        """Whether the kernel pinned or unpinned anything meanwhile."""
        return any(
            pair is not None and pair[0] != pair[1] for pair in (self.acquired, self.released)
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """What the folios of a census add up to."""

    pages: int
    """Base pages."""
    unexplained: int
    low: int
    """Folios of which it is not certain that they are pinned."""
    unstable: int

    @property
    def bytes(self) -> int:
        """The size of the pages."""
        return self.pages * PAGE_SIZE


@dataclass(frozen=True)
class Census:
    """The pinned folios of one kernel at one time."""

    kernel: str
    seconds: float
    """From the first reading of the counters to the last."""
    taken: float
    """Seconds since 1970."""
    folios: Folios
    totals: Totals
    source: str = "live"
    """The name of the reader."""
    boot: str = ""
    """Identifies one boot of one machine; empty where the source does not tell."""
    flag_names: dict[int, str] = field(default_factory=dict)
    """The kernel's name of each bit of `flags`; where a bit has many, that which it had first."""

    @property
    def pins(self) -> int:
        """Pins of all folios."""
        return int(self.folios.pins.sum())

    @functools.cached_property
    def sums(self) -> Sums:
        """Pages, doubts and unexplained references of all folios."""
        folios = self.folios
        return Sums(
            pages=int((1 << folios.order.astype(np.int64)).sum()),
            unexplained=int(folios.unexplained.sum()),
            low=int((folios.confidence == Confidence.LOW).sum()),
            unstable=int((folios.confidence == Confidence.UNSTABLE).sum()),
        )

    @property
    def agrees(self) -> bool | None:
        """Whether the pins found are those of the kernel's counters; None if it cannot be told.

        It cannot where there are none, and where pins came or went meanwhile.
        """
        outstanding = self.totals.outstanding
        if outstanding is None:
            return None
        if self.pins == outstanding[0] == outstanding[1]:
            return True
        return None if self.totals.moved else False

    def flags_of(self, value: int, kind: int = Kind.NONE) -> tuple[str, ...]:
        """The names of the flags that are set in a value of `flags` of a folio of this kind."""
        names = _MEANING.get(Kind(kind), {})
        own = (name for bit, name in self.flag_names.items() if value >> bit & 1)
        return tuple(names.get(name, name) for name in own)


_MEANING: dict[Kind, dict[str, str]] = {
    Kind.ANON: {"owner_priv_1": "swapcache", "owner_2": "anon_exclusive"}
    | {"mappedtodisk": "anon_exclusive"},
    Kind.FILE: {"owner_priv_1": "checked", "owner_2": "mappedtodisk"},
}
"""What flags that have several names mean for a kind of folio."""


def census(
    reader: Reader, layout: PageLayout | None = None, ranges: Iterable[PfnRange] | None = None
) -> Census:
    """Every pinned folio in `ranges`, by default of the whole machine.

    Raises LayoutError for a kernel whose pages we do not know, ReaderError.
    """
    layout = layout or layout_of(reader.btf)
    places = tuple(reader.ranges() if ranges is None else ranges)
    started = time.perf_counter()
    taken = time.time()
    before = reader.counters()
    found = _scan(reader, layout, places)
    folios, false_positives = _settle(reader, layout, found, places)
    after = reader.counters()
    present = sum(each.count for each in places)
    totals = Totals(
        scanned=found.scanned,
        unreadable=present - found.scanned,
        false_positives=false_positives,
        vanished=len(found.small) + len(found.large) - len(folios) - false_positives,
        acquired=_both(before, after, "nr_foll_pin_acquired"),
        released=_both(before, after, "nr_foll_pin_released"),
    )
    return Census(
        kernel=reader.release,
        seconds=time.perf_counter() - started,
        taken=taken,
        folios=folios,
        totals=totals,
        source=reader.name,
        boot=reader.boot,
        flag_names=_flag_names(layout),
    )


def _both(before: dict[str, int], after: dict[str, int], name: str) -> tuple[int, int] | None:
    if name not in before or name not in after:
        return None
    return before[name], after[name]


def _flag_names(layout: PageLayout) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, bit in layout.flag_bits.items():
        names.setdefault(bit, name)
    return dict(sorted(names.items()))


# -- the scan ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidates:
    """Frames of folios that may be pinned."""

    small: NDArray[np.uint64]
    large: NDArray[np.uint64]
    scanned: int


def _scan(reader: Reader, layout: PageLayout, places: Iterable[PfnRange]) -> Candidates:
    small: list[NDArray[np.uint64]] = []
    large: list[NDArray[np.uint64]] = []
    scanned = 0
    for chunk in reader.chunks(places):
        scanned += len(chunk.pages)
        found = candidates(chunk, layout, reader.vmemmap)
        for kind, rows in zip((small, large), found, strict=True):
            if len(rows):
                kind.append(rows.astype(np.uint64) + np.uint64(chunk.first))
    return Candidates(_joined(small), _joined(large), scanned)


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
        keep = ~_flag(rows, layout, "head") & ~_tail(rows, layout) & ~_typed(rows, layout)
        small = small[keep]
    heads = np.flatnonzero(_flag(pages[:-1], layout, "head"))
    if len(heads):
        pinned = column(pages, layout.pincount)[heads + 1].view(np.int32) > 0
        heads = heads[pinned]
    if len(heads):
        rows = pages[heads]
        pfn = heads.astype(np.uint64) + np.uint64(chunk.first)
        keep = ~_tail(rows, layout) & _leads(pages[heads + 1], pfn, layout, vmemmap)
        keep &= ~_typed(rows, layout) | _hugetlb(rows, pages[heads + 1], layout)
        keep &= column(rows, layout.refcount).view(np.int32) > 0
        heads = heads[keep]
    return small, heads


def column(pages: NDArray[np.uint64], place: Field) -> NDArray[Any]:
    """One field of each struct page; `place.page` is the caller's business."""
    return pages.view(f"<u{place.size}")[:, place.offset // place.size]


def _flag(pages: NDArray[np.uint64], layout: PageLayout, name: str) -> NDArray[np.bool_]:
    # One bit, so four bytes do: half the work of eight.
    bit = layout.flag_bits[name]
    half = Field(0, layout.flags.offset + bit // 32 * 4, 4)
    return _true((column(pages, half) & np.uint32(1 << bit % 32)) != 0)


def _tail(pages: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.bool_]:
    return _true((column(pages, layout.compound_head) & np.uint64(1)) != 0)


def _leads(
    tails: NDArray[np.uint64], pfn: NDArray[np.uint64], layout: PageLayout, vmemmap: int
) -> NDArray[np.bool_]:
    """Whether the struct page behind each of these frames names it as its head.

    Of a hugetlb folio whose vmemmap was optimized (HVO) only 64 struct pages are real; the
    others are the same memory again, so that every 64th looks like a head and is none
    (page_fixed_fake_head).
    """
    own = np.uint64(vmemmap | 1) + pfn * np.uint64(layout.page_size)
    return _true(column(tails, layout.compound_head) == own)


def _true(values: Any) -> NDArray[np.bool_]:
    """What numpy's stubs do not see: that this is an array of truth values."""
    return cast(NDArray[np.bool_], values)


def _typed(pages: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.bool_]:
    """Whether the page is of a type (buddy, slab, page table, ...) instead of being mapped."""
    typed = column(pages, layout.mapcount).view(np.int32) < np.int32(layout.type_limit)
    if layout.slab_flag is not None:
        typed = typed | _flag(pages, layout, "slab")
    return typed


def _hugetlb(
    heads: NDArray[np.uint64], tails: NDArray[np.uint64], layout: PageLayout
) -> NDArray[np.bool_]:
    """Whether large folios are hugetlb; `tails` are their first tail pages."""
    value = layout.hugetlb_value
    if value < 0:
        return np.zeros(len(heads), np.bool_)
    word = column(tails if layout.hugetlb_field.page else heads, layout.hugetlb_field)
    match layout.hugetlb:
        case Hugetlb.TYPE:
            return _true((word >> np.uint32(24)) == value)
        case Hugetlb.TYPE_BIT:
            base = np.uint32(1 << 31)
            return _true((word & np.uint32(1 << 31 | value)) == base)
        case Hugetlb.FLAG:
            return _true((word >> np.uint64(value) & np.uint64(1)) != 0)
        case Hugetlb.DESTRUCTOR:
            return _true(word == value)


# -- the readings that count ------------------------------------------------------------------


@dataclass
class _Reading:
    """Some folios as read once: the struct page of each head and of its first tail."""

    pfn: NDArray[np.uint64]
    heads: NDArray[np.uint64]
    tails: NDArray[np.uint64]
    large: bool
    good: NDArray[np.bool_]
    leads: NDArray[np.bool_]
    """Whether the first tail of each large folio names it as its head."""
    mapped: NDArray[np.int64]
    """Per-page mapcounts added up, where the kernel keeps no sum."""


def _settle(
    reader: Reader, layout: PageLayout, found: Candidates, places: Iterable[PfnRange]
) -> tuple[Folios, int]:
    parts: list[Folios] = []
    false_positives = 0
    device = [each for each in places if each.device]
    for pfn, large in ((found.small, False), (found.large, True)):
        if not len(pfn):
            continue
        first = _read(reader, layout, pfn, large)
        folios, key, pinned = _decode(first, layout, device)
        pending = np.arange(0 if reader.frozen else len(pfn))
        for _ in range(REREADS if len(pending) else 0):
            again = _read(reader, layout, pfn[pending], large)
            new, new_key, new_pinned = _decode(again, layout, device)
            changed = np.any(key[pending] != new_key, axis=1)
            for name in COLUMNS:
                getattr(folios, name)[pending] = getattr(new, name)
            key[pending], pinned[pending] = new_key, new_pinned
            pending = pending[changed]
            if not len(pending):
                break
        folios.confidence[pending] = Confidence.UNSTABLE
        parts.append(folios.take(pinned))
        if not large:
            still = (folios.refcount >= PIN_BIAS) & ~pinned
            still[pending] = False
            false_positives += int(still.sum())
    if not parts:
        return Folios.empty(), false_positives
    joined = {name: np.concatenate([getattr(each, name) for each in parts]) for name in COLUMNS}
    order = np.argsort(joined["pfn"], kind="stable")
    return Folios(**{name: values[order] for name, values in joined.items()}), false_positives


def _read(reader: Reader, layout: PageLayout, pfn: NDArray[np.uint64], large: bool) -> _Reading:
    size = layout.page_size
    addresses = np.uint64(reader.vmemmap) + pfn * np.uint64(size)
    data, good = reader.read_many(addresses, 2 * size if large else size)
    words = data.view(np.uint64)
    heads = np.ascontiguousarray(words[:, : layout.words])
    tails = np.ascontiguousarray(words[:, layout.words :])
    mapped = np.zeros(len(pfn), np.int64)
    if large and layout.large_mapcount_rule is not LargeMapcount.LARGE:
        counts = _counts(tails, layout)
        huge = _hugetlb(heads, tails, layout)
        for i in np.flatnonzero(good & ~huge & (counts > 1)).tolist():
            try:
                pages = reader.pages(int(pfn[i]), int(counts[i]))
            except FaultError:
                good[i] = False
                continue
            each = column(pages, layout.mapcount).view(np.int32).astype(np.int64) + 1
            mapped[i] = each.sum()
    leads = _leads(tails, pfn, layout, reader.vmemmap) if large else good
    return _Reading(pfn, heads, tails, large, good, leads, mapped)


def _counts(tails: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.int64]:
    """Pages of large folios, by their order; 0 where the order is none."""
    order = column(tails, layout.order).astype(np.int64) & 0xFF
    return np.where((order > 0) & (order <= BIGGEST_ORDER), 1 << np.minimum(order, 62), 0)


def _decode(
    reading: _Reading, layout: PageLayout, device: Iterable[PfnRange]
) -> tuple[Folios, NDArray[np.int64], NDArray[np.bool_]]:
    """The folios of a reading, what of them must not differ between two, which are pinned."""
    heads, tails = reading.heads, reading.tails
    count = len(heads)
    refs = column(heads, layout.refcount).astype(np.int64)
    mapping = column(heads, layout.mapping).astype(np.uint64)
    low = mapping & np.uint64(3)
    anon = (low & np.uint64(1)) != 0
    swapcache = _flag(heads, layout, "swapcache") & _flag(heads, layout, "swapbacked")
    good = reading.good & ~_tail(heads, layout)
    if reading.large:
        pages = _counts(tails, layout)
        hugetlb = _hugetlb(heads, tails, layout)
        good &= _flag(heads, layout, "head") & (pages > 0) & reading.leads
        good &= (reading.pfn.astype(np.int64) & (pages - 1)) == 0
        good &= ~_typed(heads, layout) | hugetlb
        mapcount = _large_mapcount(reading, layout, pages, anon, hugetlb)
    else:
        pages = np.ones(count, np.int64)
        hugetlb = np.zeros(count, np.bool_)
        good &= ~_flag(heads, layout, "head") & ~_typed(heads, layout)
        mapcount = column(heads, layout.mapcount).view(np.int32).astype(np.int64) + 1
    in_cache = ~anon & (low == 0) & (mapping != 0)
    per_cache = pages if layout.hugetlb_cache_per_page else np.where(hugetlb, 1, pages)
    expected = mapcount + np.where(in_cache, per_cache, 0) + np.where(swapcache, pages, 0)
    expected += _flag(heads, layout, "private") & ~anon
    for each in device:
        inside = (reading.pfn >= each.first) & (reading.pfn < each.end)
        expected += np.where(inside, layout.device_idle_references, 0)
    extra = refs - expected
    confidence = np.full(count, Confidence.EXACT if reading.large else Confidence.BIAS, np.uint8)
    if reading.large:
        pins = column(tails, layout.pincount).view(np.int32).astype(np.int64)
        unexplained = extra - pins
    else:
        pins, unexplained = np.divmod(np.maximum(extra, 0), PIN_BIAS)
        ours = ~_flag(heads, layout, "uptodate") & (mapping == 0) & (mapcount == 0)
        odd = (unexplained > SURE_GETS) | (mapcount > SURE_MAPS) | ours
        confidence[odd] = Confidence.LOW
    kind = np.select(
        [low == KSM, anon, low == MOVABLE, mapping != 0],
        [Kind.KSM, Kind.ANON, Kind.MOVABLE, Kind.FILE],
        Kind.NONE,
    ).astype(np.uint8)
    order = np.zeros(count, np.uint8)
    if reading.large:
        order = (column(tails, layout.order).astype(np.int64) & 0xFF).astype(np.uint8)
    folios = Folios(
        pfn=reading.pfn.copy(),
        order=order,
        pins=pins,
        refcount=refs,
        mapcount=mapcount,
        expected=expected,
        unexplained=unexplained,
        confidence=confidence,
        kind=kind,
        hugetlb=hugetlb,
        flags=column(heads, layout.flags).astype(np.uint64),
        mapping=mapping,
        index=column(heads, layout.index).astype(np.uint64),
    )
    key: NDArray[np.int64] = np.stack(
        (pins, refs, mapcount, expected, mapping.view(np.int64), good), axis=1
    )
    signed = refs < 1 << 31
    return folios, key, good & (pins > 0) & (refs > 0) & signed


def _large_mapcount(
    reading: _Reading,
    layout: PageLayout,
    pages: NDArray[np.int64],
    anon: NDArray[np.bool_],
    hugetlb: NDArray[np.bool_],
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
            double = _flag(reading.tails, layout, "double_map")
            total = whole + reading.mapped - np.where(anon, 0, whole * pages)
            total -= np.where(anon & double, pages, 0)
            return np.where(hugetlb, whole, total)
