"""What a census hands out: folios as columns, and what they add up to."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pinlab.field.memory.reader import PAGE_SIZE


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


def on_the_way(folios: Folios, lru: int) -> NDArray[np.int64]:
    """1 for a folio that is on no LRU list though it belongs on one, else 0; `lru`: PG_lru's bit.

    Whoever took it off has a reference: a CPU's batch that will put it on a list (mm/swap.c), or
    who isolated it to reclaim or move it. Huge pages of hugetlb are on none. Nor is FS-DAX memory,
    which a folio does not say: of such a page one plain reference is overlooked.
    """
    listed = (folios.flags >> np.uint64(lru)) & np.uint64(1)
    belongs = (folios.kind != Kind.NONE) & (folios.kind != Kind.MOVABLE) & ~folios.hugetlb
    found: NDArray[np.int64] = (belongs & (listed == 0)).astype(np.int64)
    return found


def rows_of(folios: Folios, pfn: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The row of the folio that has each frame, and whether there is one."""
    if not len(folios):
        return np.zeros(len(pfn), np.intp), np.zeros(len(pfn), np.bool_)
    rows = np.maximum(np.searchsorted(folios.pfn, pfn, side="right") - 1, 0)
    first = folios.pfn[rows]
    size = np.left_shift(np.uint64(1), folios.order[rows].astype(np.uint64))
    return rows, (pfn >= first) & (pfn - first < size)


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
    pinned: int
    """Folios with a pin; the others were asked for because they are referenced."""
    pinned_pages: int

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
            pinned=int((folios.pins > 0).sum()),
            pinned_pages=int((1 << folios.order[folios.pins > 0].astype(np.int64)).sum()),
        )

    @property
    def references(self) -> NDArray[np.int64]:
        """Plain references of each folio that no book explains."""
        bit = next((bit for bit, name in self.flag_names.items() if name == "lru"), None)
        if bit is None:
            return self.folios.unexplained
        others: NDArray[np.int64] = self.folios.unexplained - on_the_way(self.folios, bit)
        return others.clip(min=0)

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
