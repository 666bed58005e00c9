"""Which track an event belongs to: its folio's, and its I/O's."""

from __future__ import annotations

from pinlab.report.timeline.model import Group, Track
from pinlab.report.timeline.rows import MODEL, Numbered, device


class Tracks:
    """Gives out tracks by number, in the order in which things are first seen.

    A frame that is freed, or that turns up as a page of another file, is a new folio. A folio
    that has only lost its file (truncated while pinned) is still the same.
    """

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._order: list[tuple[object, ...]] = []
        self._folios: dict[int, int] = {}
        self._places: dict[int, tuple[int, int, int]] = {}
        self._uses: dict[int, int] = {}
        self._ios: dict[int, int] = {}

    def folio(self, each: Numbered) -> int:
        """The track of the event's folio."""
        frame, place = each.row.head_pfn, each.place
        track = self._folios.get(frame)
        if track is not None and place is not None:
            before = self._places.setdefault(track, place)
            if before != place:
                track = None
            elif self._order[track][1] == 1:  # its file was not known at first
                self._show(track, each)
        if track is None:
            self._uses[frame] = self._uses.get(frame, 0) + 1
            track = self._add(Track("", Group.FOLIO), (0, 1, (0, 0, 0), frame))
            self._show(track, each)
            self._folios[frame] = track
            if place is not None:
                self._places[track] = place
        return track

    def io(self, each: Numbered) -> int:
        """The track of the I/O that the event is part of."""
        row = each.row
        assert row.io_id is not None
        if row.io_id not in self._ios:
            name = f"I/O {row.io_id}" + (f", {row.op}" if row.op else "")
            detail = f"begun by {row.comm} ({row.tid})"
            if row.io_dev is not None:
                detail += f", device {device(row.io_dev)}"
            self._ios[row.io_id] = self._add(Track(name, Group.IO, detail), (1,))
        return self._ios[row.io_id]

    def freed(self, each: Numbered) -> None:
        """After this event the frame is another folio."""
        self._folios.pop(each.row.head_pfn, None)

    def sorted(self) -> tuple[list[Track], list[int]]:
        """Folios by file and index, then I/O; and the new number of each number."""
        order = sorted(range(len(self.tracks)), key=lambda i: (self._order[i], i))
        renumbered = [0] * len(order)
        for new, old in enumerate(order):
            renumbered[old] = new
        return [self.tracks[old] for old in order], renumbered

    def _show(self, track: int, each: Numbered) -> None:
        frame, place = each.row.head_pfn, each.place
        if each.row.src == MODEL:
            self.tracks[track] = Track(f"page {frame}", Group.FOLIO)
            return
        detail = f"frame {frame:#x}"
        if each.row.order:
            detail += f", {4 << each.row.order} KiB"
        if self._uses[frame] > 1:
            detail += f", use {self._uses[frame]}"
        if place is None:
            self.tracks[track] = Track(f"frame {frame:#x}", Group.FOLIO, detail)
            return
        where, inode, index = place
        name = f"inode {inode}, page {index}"
        detail += f", device {device(where)}"
        self.tracks[track] = Track(name, Group.FOLIO, detail)
        self._order[track] = (0, 0, place, frame)

    def _add(self, track: Track, order: tuple[object, ...]) -> int:
        self.tracks.append(track)
        self._order.append(order)
        return len(self.tracks) - 1
