"""A timeline in the trace event format, which Perfetto's page and chrome://tracing open.

Every track is a "process" of the format, since both viewers then keep its spans, its counter of
pins and its marks together under one name. Spans are async events with an id of their own.
"""

from __future__ import annotations

import json
from typing import Any

from pinlab.report.timeline.model import MarkKind, Timeline

TRACE = 1
"""The process that stands for the recording as a whole. Tracks are those from 2 on."""

COLOURS = {MarkKind.VIOLATION: "terrible", MarkKind.LOST: "bad", MarkKind.EVENT: "grey"}
_END, _BEGIN, _END_OF_EMPTY, _INSTANT = range(4)


def trace(timeline: Timeline) -> dict[str, Any]:
    """The trace as one JSON object, events sorted by time in microseconds."""
    timed: list[tuple[int, int, dict[str, Any]]] = []

    def add(at: int, rank: int, phase: str, track: int | None, **rest: Any) -> None:
        pid = TRACE if track is None else track + TRACE + 1
        timed.append((at, rank, {"ph": phase, "ts": at / 1000, "pid": pid, "tid": 1, **rest}))

    for number, span in enumerate(timeline.spans, start=1):
        same: dict[str, Any] = {"cat": span.kind.value, "name": span.name, "id": f"{number:#x}"}
        args = {**span.args, **({"outside the recording": span.cut} if span.cut else {})}
        add(span.start, _BEGIN, "b", span.track, **same, args=args)
        add(span.end, _END if span.end > span.start else _END_OF_EMPTY, "e", span.track, **same)
    for sample in timeline.samples:
        add(sample.at, _INSTANT, "C", sample.track, name="pins", args={"pins": sample.pins})
    for mark in timeline.marks:
        add(
            mark.at,
            _INSTANT,
            "i",
            mark.track,
            cat=mark.kind.value,
            name=mark.name,
            s={MarkKind.VIOLATION: "p", MarkKind.LOST: "g", MarkKind.EVENT: "t"}[mark.kind],
            cname=COLOURS[mark.kind],
            args=dict(mark.args),
        )
    timed.sort(key=lambda each: each[:2])
    return {
        "traceEvents": [*_names(timeline), *(event for _, _, event in timed)],
        "displayTimeUnit": "ns",
        "otherData": {
            "schema": "pinlab.timeline/1",
            "title": timeline.title,
            "first event, ns": str(timeline.start),
            "events": timeline.events,
            "violations": len(timeline.violations),
            "notes": "; ".join(timeline.notes),
            **{f"verdict {name}": verdict for name, verdict in timeline.verdicts},
        },
    }


def text(timeline: Timeline) -> str:
    """`trace` as a file, one event a line."""
    whole = trace(timeline)
    events = ",\n".join(json.dumps(event, ensure_ascii=False) for event in whole["traceEvents"])
    rest = json.dumps({key: whole[key] for key in whole if key != "traceEvents"})
    return f'{{"traceEvents": [\n{events}\n],\n{rest[1:]}\n'


def _names(timeline: Timeline) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def name(pid: int, what: str, value: str | int) -> None:
        key = "sort_index" if what.endswith("sort_index") else "labels"
        key = "name" if what.endswith("_name") else key
        found.append({"ph": "M", "ts": 0, "pid": pid, "tid": 1, "name": what, "args": {key: value}})

    name(TRACE, "process_name", timeline.title)
    name(TRACE, "process_sort_index", TRACE)
    for number, track in enumerate(timeline.tracks, start=TRACE + 1):
        name(number, "process_name", track.name)
        name(number, "process_sort_index", number)
        name(number, "thread_name", "events")
        if track.detail:
            name(number, "process_labels", track.detail)
    return found
