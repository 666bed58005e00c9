"""Which track an event belongs to: its folio's, and its I/O's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pinlab.field.events.names import numbers
from pinlab.report.timeline.model import Group, Track
from pinlab.report.timeline.rows import MODEL, Numbered, Place


@dataclass(slots=True)
class _Folio:
    """A folio as far as it is known: its file may be told by a later event only."""

    frame: int
    use: int
    order: int
    modelled: bool
    place: Place | None

    @property
    def rank(self) -> tuple[bool, Place, int]:
        """Its place among others."""
        return self.place is None, self.place or (0, 0, 0), self.frame

    def named(self) -> Track:
        if self.modelled:
            return Track(f"page {self.frame}", Group.FOLIO)
        detail = f"frame {self.frame:#x}"
        if self.order:
            detail += f", {4 << self.order} KiB"
        if self.use > 1:
            detail += f", use {self.use}"
        if self.place is None:
            return Track(f"frame {self.frame:#x}", Group.FOLIO, detail)
        device, inode, index = self.place
        detail += f", device {numbers(device)}"
        return Track(f"inode {inode}, page {index}", Group.FOLIO, detail, inode=inode)


class Tracks:
    """Gives out tracks by number, in the order in which things are first seen.

    A frame that is freed, or that turns up as a page of another file, is a new folio. A folio
    that has only lost its file (truncated while pinned) is still the same.
    """

    def __init__(self) -> None:
        self._folios: dict[int, _Folio] = {}
        self._ios: dict[int, Track] = {}
        self._of_frame: dict[int, int] = {}
        self._of_io: dict[int, int] = {}
        self._uses: Counter[int] = Counter()

    def folio(self, each: Numbered) -> int:
        """The track of the event's folio."""
        row, place = each.row, each.place
        track = self._of_frame.get(row.head_pfn)
        known = None if track is None else self._folios[track].place
        if track is None or (None not in (place, known) and place != known):
            self._uses[row.head_pfn] += 1
            track = self._of_frame[row.head_pfn] = len(self._folios) + len(self._ios)
        elif known is not None:
            return track
        use = self._uses[row.head_pfn]
        self._folios[track] = _Folio(row.head_pfn, use, row.order, row.src == MODEL, place)
        return track

    def io(self, each: Numbered) -> int:
        """The track of the I/O that the event is part of."""
        row = each.row
        assert row.io_id is not None
        track = self._of_io.get(row.io_id)
        if track is None:
            name = f"I/O {row.io_id}" + (f", {row.op}" if row.op else "")
            detail = f"begun by {row.comm} ({row.tid})"
            if row.io_dev is not None:
                detail += f", device {numbers(row.io_dev)}"
            track = self._of_io[row.io_id] = len(self._folios) + len(self._ios)
            self._ios[track] = Track(name, Group.IO, detail)
        return track

    def io_name(self, each: Numbered) -> str:
        """The name of that track."""
        return self._ios[self.io(each)].name

    def freed(self, each: Numbered) -> None:
        """After this event the frame is another folio."""
        self._of_frame.pop(each.row.head_pfn, None)

    def named(self) -> list[Track]:
        """All tracks, by number."""
        found = {track: folio.named() for track, folio in self._folios.items()} | self._ios
        return [found[track] for track in range(len(found))]

    def in_order(self) -> list[int]:
        """The numbers of all tracks: folios by file and index, those of no file, then I/O."""
        folios = sorted(self._folios, key=lambda track: (*self._folios[track].rank, track))
        return [*folios, *self._ios]
