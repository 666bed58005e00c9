"""Recorded events, and what was judged of them, become a timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pinlab.field.events.schema import Meta, Row
from pinlab.names import printable
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict
from pinlab.report.timeline.model import (
    IO,
    Args,
    Kind,
    Mark,
    MarkKind,
    Sample,
    Span,
    Timeline,
    Violation,
)
from pinlab.report.timeline.rows import Numbered, args, in_order
from pinlab.report.timeline.spans import BEGINS, CANCELS_DIRTY, ENDS, Pairs, packed
from pinlab.report.timeline.tracks import Tracks


@dataclass(slots=True)
class _State:
    """What is known while the rows go by."""

    meta: Meta
    tracks: Tracks = field(default_factory=Tracks)
    pairs: Pairs = field(default_factory=Pairs)
    marks: list[Mark] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    pins: dict[int, int] = field(default_factory=dict)
    active: dict[tuple[int, Kind], set[int]] = field(default_factory=dict)


def timeline(
    rows: Iterable[Row],
    meta: Meta,
    violations: Iterable[Violation] = (),
    *,
    verdicts: Mapping[str, Verdict] | None = None,
    title: str = "pinlab timeline",
) -> Timeline:
    """The timeline of a recording, with every one of `violations` as a mark. Its names, which may
    be anything, are as they may be shown.

    Raises ValueError if a violation names no row of it.
    """
    meta = meta.by_letters()
    ordered = list(in_order(row.by_letters() for row in rows))
    length = ordered[-1].at if ordered else 0
    state = _State(meta)
    by_number = {event.number: event for event in ordered}
    judged = _by_row(violations, by_number)
    lost = 0
    for event in ordered:
        if dropped := event.row.dropped_before:
            lost += dropped
            _gap(state, event.at, dropped)
        track = _show(state, event)
        for each in judged.get(event.number, ()):
            evidence = [by_number[number] for number in each.evidence]
            state.marks.append(_violation(state, each, track, event, evidence))
        if event.row.kind is Event.PAGE_FREE:
            state.tracks.freed(event)
    if meta.lost > lost:
        _gap(state, length, meta.lost - lost)
    state.pairs.finish(length)
    spans = packed(state.pairs.spans)
    return Timeline(
        printable(title),
        tracks=tuple(state.tracks.named()),
        spans=tuple(spans),
        marks=tuple(state.marks),
        samples=tuple(state.samples),
        length=length,
        events=len(ordered),
        start=ordered[0].row.ts_ns if ordered else 0,
        notes=tuple(_notes(max(lost, meta.lost), spans, meta)),
        verdicts=verdicts or {},
    ).keep(state.tracks.in_order())


def _by_row(
    violations: Iterable[Violation], rows: Mapping[int, Numbered]
) -> dict[int, list[Violation]]:
    found: dict[int, list[Violation]] = {}
    for each in violations:
        for number in (each.row, *each.evidence):
            if number not in rows:
                raise ValueError(f"{each.objective}: the recording has no event {number + 1}")
        found.setdefault(each.row, []).append(each)
    return found


def _show(state: _State, event: Numbered) -> int:
    """Show one event; returns the track of its folio."""
    kind, track = event.row.kind, state.tracks.folio(event)
    shown, values = False, _args(state, event)
    if kind in BEGINS:
        shown = state.pairs.begin(track, BEGINS[kind], event, values)
    elif kind in ENDS:
        shown = state.pairs.end(track, ENDS[kind], event, values)
    elif kind in CANCELS_DIRTY:
        state.pairs.cancel_dirty(track, event.at)
    if not shown:
        state.marks.append(Mark(track, MarkKind.EVENT, kind.value, event.at, values))
    if event.row.io_id is not None:
        _io(state, event)
    before = state.pins.get(track)
    pins = event.pins(before)
    if pins is not None and pins != before:
        state.pins[track] = pins
        state.samples.append(Sample(track, event.at, pins))
    return track


def _args(state: _State, event: Numbered) -> Args:
    """What is shown of an event, with the name of its I/O's track."""
    if event.row.io_id is None:
        return args(event, state.meta)
    return {**args(event, state.meta), IO: state.tracks.io_name(event)}


def _io(state: _State, event: Numbered) -> None:
    """An I/O pins from the first of its folios that is pinned to the last that is let go."""
    kind = BEGINS.get(event.row.kind) or ENDS.get(event.row.kind)
    if kind is None or kind is Kind.DIRTY:
        return
    track, page = state.tracks.io(event), event.row.pfn
    active = state.active.setdefault((track, kind), set())
    if event.row.kind in BEGINS:
        if not active:
            state.pairs.begin(track, kind, event, _args(state, event))
        active.add(page)
        return
    active.discard(page)
    if not active:
        state.pairs.end(track, kind, event, _args(state, event))


def _gap(state: _State, at: int, lost: int) -> None:
    state.pairs.gap(at, lost)
    name = f"{lost:,} event{'' if lost == 1 else 's'} lost"
    state.marks.append(Mark(None, MarkKind.LOST, name, at, {"lost": lost}))


def _violation(
    state: _State, each: Violation, track: int, event: Numbered, evidence: Iterable[Numbered]
) -> Mark:
    shown = {"objective": each.objective, **_args(state, event)}
    if each.claim:
        shown["claim"] = printable(each.claim)
    if each.evidence:
        shown["evidence"] = "events " + ", ".join(str(number + 1) for number in each.evidence)
    part = [state.tracks.io(one) for one in (*evidence, event) if one.row.io_id is not None]
    name = f"violates {each.objective}"
    return Mark(track, MarkKind.VIOLATION, name, event.at, shown, tuple(dict.fromkeys(part)))


def _notes(lost: int, spans: Iterable[Span], meta: Meta) -> Iterable[str]:
    if lost:
        yield f"{lost:,} events were lost: the picture has holes, and no verdict spans them"
    if cut := sum(bool(span.cut) for span in spans):
        yield f"{cut:,} spans begin or end outside the recording; they fade out"
    if meta.failed:
        yield f"not attached: {', '.join(meta.failed)}"
    if meta.note:
        yield meta.note
