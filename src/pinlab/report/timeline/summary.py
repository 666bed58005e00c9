"""How much there is on a timeline, as a line and as JSON ("pinlab.timeline/1")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypedDict

from pinlab.report.timeline.model import Timeline


class FileJson(TypedDict):
    """What was written to one file: how many tracks, spans and marks of each kind."""

    path: str
    tracks: dict[str, int]
    spans: dict[str, int]
    marks: dict[str, int]
    notes: list[str]


class VerdictJson(TypedDict):
    """The verdict on one objective."""

    objective: str
    verdict: str
    reason: str
    bounds: str


class TimelineJson(TypedDict):
    """`pinlab timeline --json`. Times are nanoseconds; the first event's is CLOCK_MONOTONIC."""

    schema: Literal["pinlab.timeline/1"]
    recording: str
    events: int
    violations: int
    first_event_ns: int
    length_ns: int
    files: list[FileJson]
    verdicts: list[VerdictJson]


def line(timeline: Timeline) -> str:
    """How much there is of it, in one line."""
    much = f"{timeline.events:,} events in {time(timeline.length)}"
    return f"{much}, {len(timeline.tracks):,} tracks"


def time(ns: int) -> str:
    """As the chart writes it: "1.203 ms"."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if ns >= size:
            return f"{round(ns / size, 6)} {unit}"
    return f"{ns} ns"


def to_json(recording: str, whole: Timeline, files: Mapping[str, Timeline]) -> TimelineJson:
    """A recording's timeline, and what of it was written to which file."""
    return {
        "schema": "pinlab.timeline/1",
        "recording": recording,
        "events": whole.events,
        "violations": len(whole.violations),
        "first_event_ns": whole.start,
        "length_ns": whole.length,
        "files": [_file(path, drawn) for path, drawn in files.items()],
        "verdicts": [
            {
                "objective": name,
                "verdict": verdict.outcome.value,
                "reason": verdict.reason,
                "bounds": verdict.bounds,
            }
            for name, verdict in whole.verdicts.items()
        ],
    }


def _file(path: str, drawn: Timeline) -> FileJson:
    return {
        "path": path,
        "tracks": dict(Counter(track.group.value for track in drawn.tracks)),
        "spans": dict(Counter(span.kind.value for span in drawn.spans)),
        "marks": dict(Counter(mark.kind.value for mark in drawn.marks)),
        "notes": list(drawn.notes),
    }
