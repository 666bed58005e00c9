"""Frames with counts: what a holder holds, or is expected to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DTYPE = np.dtype([("pfn", "<u8"), ("pages", "<u4"), ("times", "<u4")])


class Extent(NamedTuple):
    """Consecutive frames of one folio, and how often all of them together are held.

    A pin counts on the folio, so 512 frames of a huge page may be held by one pin (io_uring
    keeps one per folio) or by 512 (direct I/O takes one per page).
    """

    pfn: int
    pages: int
    times: int


class Extents:
    """Any number of extents, as arrays. Immutable; compares by content."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[tuple[int, int, int]] = ()) -> None:
        self._rows = np.array([tuple(row) for row in rows], dtype=_DTYPE)
        self._rows.flags.writeable = False

    @classmethod
    def of_pages(cls, pfns: NDArray[np.uint64], times: int = 1) -> Extents:
        """Each frame held `times` times by itself. Frame 0 stands for "none" and is left out."""
        known = pfns[pfns != 0]
        return cls.of_arrays(known, np.ones(len(known)), np.full(len(known), times))

    @classmethod
    def of_arrays(cls, pfn: NDArray[np.uint64], pages: object, times: object) -> Extents:
        """Three arrays of one length; a number stands for an array of it."""
        made = cls()
        rows = np.empty(len(pfn), dtype=_DTYPE)
        rows["pfn"], rows["pages"], rows["times"] = pfn, pages, times
        rows.flags.writeable = False
        made._rows = rows
        return made

    @classmethod
    def of_spans(cls, first: NDArray[np.uint64], pages: NDArray[np.uint64]) -> Extents:
        """Ranges of frames, each frame held once by itself."""
        lengths = pages.astype(np.int64)
        starts = np.repeat(first.astype(np.int64) - (np.cumsum(lengths) - lengths), lengths)
        pfn = (starts + np.arange(int(lengths.sum()))).astype(np.uint64)
        return cls.of_arrays(pfn, 1, 1)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Extent]:
        return (Extent(*map(int, row)) for row in self._rows.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extents) and sorted(self) == sorted(other)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self)))

    def __repr__(self) -> str:
        return f"Extents({list(self)!r})"

    @property
    def pfn(self) -> NDArray[np.uint64]:
        """First frame of each extent."""
        column: NDArray[np.uint64] = self._rows["pfn"]
        return column

    @property
    def pages(self) -> NDArray[np.uint32]:
        """Frames of each extent."""
        column: NDArray[np.uint32] = self._rows["pages"]
        return column

    @property
    def times(self) -> NDArray[np.uint32]:
        """How often each extent is held."""
        column: NDArray[np.uint32] = self._rows["times"]
        return column

    @property
    def frames(self) -> int:
        """How many frames there are; one that several extents have is one."""
        ordered = np.argsort(self.pfn)
        starts, ends = self.pfn[ordered], (self.pfn + self.pages)[ordered]
        if (starts[1:] >= ends[:-1]).all():
            return int(self.pages.sum())
        return len(np.unique(self.each_frame()))

    @property
    def first(self) -> int:
        """The first frame; there must be one."""
        return int(self.pfn[0])

    @property
    def total(self) -> int:
        """How often anything is held."""
        return int(self.times.sum())

    def each_frame(self) -> NDArray[np.uint64]:
        """Every frame, in order."""
        return Extents.of_spans(self.pfn, self.pages.astype(np.uint64)).pfn

    def covers(self, pfn: int, pages: int = 1) -> bool:
        """Whether a frame, or one of so many from there on, is among them."""
        start = self.pfn.astype(np.int64)
        return bool(((start < pfn + pages) & (pfn < start + self.pages)).any())
