"""A timeline in the trace event format, which Perfetto's page and chrome://tracing open.

Every track is a "process" of the format, since both viewers then keep its spans, its counter of
pins and its marks together under one name. Spans are async events, whose ids are local to their
process: with global ones Perfetto takes them out of it. Marks are instants of "threads".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pinlab.report.timeline.model import MarkKind, Timeline

THREADS = {MarkKind.VIOLATION: 1, MarkKind.EVENT: 2, MarkKind.LOST: 3}
THREAD_NAMES = {1: "violations", 2: "events", 3: "events lost"}
RECORDING = 4
"""The process that stands for the recording as a whole. Tracks are those from 5 on.

No process has the number of a thread: that one would be called its main thread.
"""

COLOURS = {MarkKind.EVENT: "grey", MarkKind.VIOLATION: "terrible", MarkKind.LOST: "bad"}
_END, _BEGIN, _END_OF_EMPTY, _INSTANT = range(4)


def trace(timeline: Timeline) -> dict[str, Any]:
    """The trace as one JSON object, events sorted by time in microseconds."""
    return {
        "traceEvents": [*_names(timeline), *_events(timeline)],
        "displayTimeUnit": "ns",
        "otherData": {
            "schema": "pinlab.trace/1",
            "title": timeline.title,
            "first event, ns": str(timeline.start),
            "events": timeline.events,
            "violations": len(timeline.violations),
            "notes": "; ".join(timeline.notes),
            **{f"verdict {name}": str(verdict) for name, verdict in timeline.verdicts.items()},
        },
    }


def text(timeline: Timeline) -> str:
    """`trace` as a file, one event a line."""
    whole = trace(timeline)
    events = ",\n".join(json.dumps(event, ensure_ascii=False) for event in whole["traceEvents"])
    rest = json.dumps({key: whole[key] for key in whole if key != "traceEvents"})
    return f'{{"traceEvents": [\n{events}\n],\n{rest[1:]}\n'


def _events(timeline: Timeline) -> list[dict[str, Any]]:
    timed: list[tuple[int, int, dict[str, Any]]] = []

    def add(at: int, rank: int, phase: str, track: int | None, **rest: Any) -> None:
        event = {"ph": phase, "ts": at / 1000, "pid": _process(track), "tid": 1, **rest}
        timed.append((at, rank, event))

    for number, span in enumerate(timeline.spans, start=1):
        same = {"cat": span.kind.value, "name": span.name, "id2": {"local": f"{number:#x}"}}
        args = {**span.args, **({"outside the recording": span.cut} if span.cut else {})}
        add(span.start, _BEGIN, "b", span.track, **same, args=args)
        add(span.end, _END if span.end > span.start else _END_OF_EMPTY, "e", span.track, **same)
    for sample in timeline.samples:
        add(sample.at, _INSTANT, "C", sample.track, name="pins", args={"count": sample.pins})
    for mark in timeline.marks:
        shown = {"cat": mark.kind.value, "name": mark.name, "cname": COLOURS[mark.kind]}
        thread = THREADS[mark.kind]
        add(mark.at, _INSTANT, "i", mark.track, **shown, s="t", tid=thread, args=dict(mark.args))
    timed.sort(key=lambda each: each[:2])
    return [event for _, _, event in timed]


def _names(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """The names of what `_events` mentions, in the order in which they are to be shown."""

    def name(process: int, what: str, key: str, value: str | int, thread: int = 1) -> Any:
        named = {"name": what, "args": {key: value}}
        return {"ph": "M", "ts": 0, "pid": process, "tid": thread, **named}

    tracks = [(timeline.title, ""), *((track.name, track.detail) for track in timeline.tracks)]
    for process, (title, detail) in enumerate(tracks, start=RECORDING):
        yield name(process, "process_name", "name", title)
        yield name(process, "process_sort_index", "sort_index", process)
        if detail:
            yield name(process, "process_labels", "labels", detail)
    for process, thread in sorted({(_process(m.track), THREADS[m.kind]) for m in timeline.marks}):
        yield name(process, "thread_name", "name", THREAD_NAMES[thread], thread)


def _process(track: int | None) -> int:
    return RECORDING if track is None else RECORDING + 1 + track
