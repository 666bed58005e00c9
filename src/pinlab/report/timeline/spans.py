"""Pairs events that begin something with those that end it, and keeps overlapping spans apart."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pinlab.objectives.events import Event
from pinlab.report.timeline.model import Args, Kind, Span
from pinlab.report.timeline.rows import Numbered

BEGINS = {
    Event.PIN: Kind.PIN,
    Event.WRITEBACK_START: Kind.WRITEBACK,
    Event.WRITEBACK_BOUNCE: Kind.WRITEBACK,
    Event.DIRTY: Kind.DIRTY,
}
ENDS = {
    Event.UNPIN: Kind.PIN,
    Event.WRITEBACK_END: Kind.WRITEBACK,
    Event.CLEAN_FOR_IO: Kind.DIRTY,
}
ONE_AT_A_TIME = (Kind.WRITEBACK, Kind.DIRTY)
CANCELS_DIRTY = (Event.CACHE_DEL, Event.PAGE_FREE)


@dataclass(slots=True)
class _Open:
    event: Numbered
    start: int
    args: Args
    lost: int = 0
    gap: int = 0


@dataclass(slots=True)
class Pairs:
    """Spans of all tracks while the recording is read from its begin to its end.

    An end without a begin reaches back to the begin of the recording, or to the last gap in it;
    if there was a pair of that kind since, it is no span at all, and `end` returns False.
    """

    spans: list[Span] = field(default_factory=list)
    _open: dict[tuple[int, Kind], list[_Open]] = field(default_factory=dict)
    _seen: set[tuple[int, Kind]] = field(default_factory=set)
    _since: int = 0

    def begin(self, track: int, kind: Kind, event: Numbered, args: Args) -> bool:
        """Something begins; False if it was under way already and is of a kind without nesting."""
        queue = self._open.setdefault((track, kind), [])
        self._seen.add((track, kind))
        if queue and kind in ONE_AT_A_TIME:
            if not queue[0].lost:
                return False
            gone = queue.pop()
            self._add(track, kind, gone, gone.gap, cut="end")
        queue.append(_Open(event, event.at, args))
        return True

    def end(self, track: int, kind: Kind, event: Numbered, args: Args) -> bool:
        """Something ends: that of the same I/O, else the oldest. False if there was none."""
        queue = self._open.setdefault((track, kind), [])
        if queue:
            io = event.row.io_id
            same = (each for each in queue if io is not None and each.event.row.io_id == io)
            found = next(same, queue[0])
            queue.remove(found)
            more = {"ended by event": event.number + 1}
            if "refcount" in args:
                more["refcount at end"] = event.row.refcount
            self._add(track, kind, found, event.at, more=more)
        elif (track, kind) in self._seen:
            return False
        else:
            name = _name(kind, event)
            self.spans.append(Span(track, kind, name, self._since, event.at, args, cut="start"))
        self._seen.add((track, kind))
        return True

    def cancel_dirty(self, track: int, at: int) -> None:
        """The folio leaves the page cache: nothing will clean it any more."""
        for each in self._open.pop((track, Kind.DIRTY), []):
            self._add(track, Kind.DIRTY, each, at)

    def gap(self, at: int, lost: int) -> None:
        """Events were lost just before `at`: what is open may have ended and begun anew."""
        self._since = at
        self._seen.clear()
        for queue in self._open.values():
            for each in queue:
                each.lost, each.gap = each.lost + lost, at

    def finish(self, at: int) -> None:
        """The recording ends: what is open is cut off."""
        for (track, kind), queue in self._open.items():
            for each in queue:
                self._add(track, kind, each, at, cut="end")
        self._open.clear()

    def _add(
        self,
        track: int,
        kind: Kind,
        which: _Open,
        end: int,
        *,
        cut: str = "",
        more: Args | None = None,
    ) -> None:
        lost: Args = {"events lost meanwhile": which.lost} if which.lost else {}
        args = {**which.args, **(more or {}), **lost}
        name = _name(kind, which.event)
        self.spans.append(Span(track, kind, name, which.start, end, args, cut=cut))


def _name(kind: Kind, event: Numbered) -> str:
    if event.row.kind is Event.WRITEBACK_BOUNCE:
        return "writeback of a copy"
    return f"{kind}, {event.row.op}" if kind is Kind.PIN and event.row.op else kind.value


def packed(spans: Iterable[Span]) -> list[Span]:
    """The spans in order of time, each in the lowest lane of its track that is free."""
    found: list[Span] = []
    free: dict[int, list[int]] = {}
    busy: dict[int, list[tuple[int, int]]] = {}
    lanes: dict[int, int] = {}
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        own, waiting = busy.setdefault(span.track, []), free.setdefault(span.track, [])
        while own and own[0][0] <= span.start:
            heapq.heappush(waiting, heapq.heappop(own)[1])
        if waiting:
            lane = heapq.heappop(waiting)
        else:
            lane = lanes[span.track] = lanes.get(span.track, -1) + 1
        # A span without length still fills its lane for an instant.
        heapq.heappush(own, (max(span.end, span.start + 1), lane))
        found.append(replace(span, lane=lane))
    return found
