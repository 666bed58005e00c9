"""What the programs that the trace is for make of it: exactly the timeline, and no complaint."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.report import readers, recordings
from tests.report.recordings import META, row

from pinlab.objectives.events import Event
from pinlab.report.timeline import build, chrome
from pinlab.report.timeline.model import MarkKind, Timeline, Violation

HOUR = 3_600_000_000_000
QUERIES = {
    "complaints": """select name, value from stats
        where value != 0 and severity in ('error', 'data_loss')""",
    "tracks": "select pid, name from process where pid > 0 order by pid",
    "spans": """select pid, s.name, ts, dur from slice s
        join process_track t on s.track_id = t.id join process using (upid)""",
    "marks": """select pid, thread.name, s.category, s.name, ts from slice s
        join thread_track t on s.track_id = t.id join thread using (utid)
        join process using (upid)""",
    "samples": """select pid, t.name, ts, value from counter c
        join process_counter_track t on c.track_id = t.id join process using (upid)""",
    "objectives": """select pid, display_value from slice s
        join thread_track t on s.track_id = t.id join thread using (utid) join process using (upid)
        join args using (arg_set_id) where key = 'args.objective'""",
    "pins": """select sum(int_value) from slice join args using (arg_set_id)
        where key = 'args.ended by event'""",
    "main threads": """select tid from slice s join thread_track t on s.track_id = t.id
        join thread using (utid) where is_main_thread""",
    "all": "select count(*) from slice",
}


def hard() -> Timeline:
    """The hazard; and pins that overlap, that take no time, that are lost; an hour later."""
    rows, bad = recordings.o1()
    late = [
        row(Event.PIN, HOUR, io_id=1, index=9, **recordings.FILE),
        row(Event.PIN, HOUR + 1, io_id=2, index=9, **recordings.FILE),
        row(Event.UNPIN, HOUR + 1, io_id=2, index=9, **recordings.FILE),
        row(Event.UNPIN, HOUR + 7, io_id=1, index=9, dropped_before=3, **recordings.FILE),
        row(Event.WRITEBACK_START, HOUR + 9, comm='"</script>\u2028é', index=9, **recordings.FILE),
    ]
    violations = [Violation(number, "O1", "why", (number - 2, number)) for number in bad]
    return build.timeline([*rows, *late], META, violations, title="hard")


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return hard()


def pid(track: int | None) -> int:
    return chrome.RECORDING if track is None else chrome.RECORDING + 1 + track


def names(timeline: Timeline) -> list[str]:
    return [timeline.title, *(track.name for track in timeline.tracks)]


@pytest.mark.slow
def test_perfetto_shows_exactly_the_timeline(timeline: Timeline) -> None:
    found = readers.perfetto(chrome.text(timeline), QUERIES)
    assert found["complaints"] == found["main threads"] == []
    assert [name for _, name in found["tracks"]] == names(timeline)
    assert counted(found["spans"]) == Counter(
        (pid(span.track), span.name, span.start, span.end - span.start) for span in timeline.spans
    )
    assert counted(found["marks"]) == Counter(
        (pid(m.track), chrome.THREAD_NAMES[chrome.THREADS[m.kind]], m.kind.value, m.name, m.at)
        for m in timeline.marks
    )
    assert counted(found["samples"]) == Counter(
        (pid(each.track), "pins count", each.at, each.pins) for each in timeline.samples
    )
    assert found["all"] == [[len(timeline.spans) + len(timeline.marks)]]
    assert counted(found["objectives"]) == Counter(
        (pid(m.track), "O1") for m in timeline.violations
    )
    ends = [
        end for span in timeline.spans if isinstance(end := span.args.get("ended by event"), int)
    ]
    assert found["pins"] == [[sum(ends)]] and len(ends) > 10


@pytest.mark.slow
def test_the_viewer_of_chrome_shows_exactly_the_timeline(timeline: Timeline) -> None:
    found = readers.chrome(chrome.text(timeline))
    assert found["warnings"] == [] and found["everywhere"] == []
    processes = sorted(found["processes"], key=lambda each: each["pid"])
    assert [each["name"] for each in processes] == names(timeline)
    threads = [(each["pid"], thread) for each in processes for thread in each["threads"]]
    assert Counter(
        (pid, name, round(start * 1e6), round(lasts * 1e6))
        for pid, thread in threads
        for name, start, lasts in thread["spans"]
    ) == Counter((pid(s.track), s.name, s.start, s.end - s.start) for s in timeline.spans)
    assert Counter(
        (pid, thread["name"], name, round(at * 1e6))
        for pid, thread in threads
        for name, at in thread["marks"]
    ) == Counter(
        (pid(m.track), chrome.THREAD_NAMES[chrome.THREADS[m.kind]], m.name, m.at)
        for m in timeline.marks
    )
    samples = Counter(pid(each.track) for each in timeline.samples)
    assert {each["pid"]: each["counters"] for each in processes if each["counters"]} == {
        which: [["pins", count]] for which, count in samples.items()
    }


def counted(rows: list[list[Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(map(tuple, rows))


def test_the_timeline_has_what_is_hard(timeline: Timeline) -> None:
    assert {mark.kind for mark in timeline.marks} == set(MarkKind)
    assert any(span.lane for span in timeline.spans)
    assert any(span.start == span.end for span in timeline.spans)
    assert any(span.cut for span in timeline.spans)
