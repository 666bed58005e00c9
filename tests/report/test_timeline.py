"""Timelines of made-up recordings: pairing, gaps, tracks, and the trace event format."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report import recordings
from tests.report.recordings import META, row

from pinlab.field.events.schema import Row
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict
from pinlab.report.timeline import build, chrome
from pinlab.report.timeline.model import Group, Kind, MarkKind, Timeline, Violation


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Any events at all, in any order, with gaps, reused frames and I/Os."""
    return [
        row(
            draw(st.sampled_from(list(Event))),
            draw(st.integers(0, 50)) * 700,
            draw(st.integers(1, 4)),
            ino=draw(st.sampled_from([None, 0, 7, 8])),
            index=draw(st.integers(0, 2)),
            io_id=draw(st.sampled_from([None, 1, 2])),
            op=draw(st.sampled_from([None, "READ"])),
            src=draw(st.sampled_from(["raw_tp", "model"])),
            order=draw(st.sampled_from([0, 0, 4])),
            refcount=draw(st.sampled_from([-1, 0, 3, 1027])),
            pincount=draw(st.sampled_from([None, 2])),
            stack_id=draw(st.sampled_from([None, 0, 9])),
            dropped_before=draw(st.sampled_from([0, 0, 0, 5])),
        )
        for _ in range(draw(st.integers(0, 40)))
    ]


@st.composite
def judged(draw: st.DrawFn) -> tuple[list[Row], list[Violation]]:
    found = draw(rows())
    places = draw(st.lists(st.integers(0, len(found) - 1))) if found else []
    return found, [Violation(place, draw(st.sampled_from(["O1", "O2"]))) for place in places]


@settings(deadline=None, max_examples=25)  # the machine may be busy
@given(judged())
def test_a_trace_is_valid_whatever_was_recorded(case: tuple[list[Row], list[Violation]]) -> None:
    found, violations = case
    timeline = build.timeline(found, META, violations)
    trace: dict[str, Any] = json.loads(chrome.text(timeline))
    assert trace == json.loads(json.dumps(chrome.trace(timeline)))
    events = trace["traceEvents"]
    names = {e["pid"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    timed = [event for event in events if event["ph"] != "M"]
    assert [e["ts"] for e in timed] == sorted(e["ts"] for e in timed)
    assert all(e["ts"] >= 0 and e["pid"] in names and "tid" in e and e["name"] for e in timed)
    opened: dict[tuple[str, str, int], str] = {}
    for event in timed:
        if event["ph"] == "b":
            key = (event["cat"], event["id2"]["local"], event["pid"])
            assert key not in opened
            opened[key] = event["name"]
        elif event["ph"] == "e":
            assert opened.pop((event["cat"], event["id2"]["local"], event["pid"])) == event["name"]
        elif event["ph"] == "C":
            assert all(isinstance(n, int) and n >= 0 for n in event["args"].values())
        else:
            assert event["ph"] == "i" and event["s"] in "tpg"
    assert not opened
    marked = Counter(e["args"]["objective"] for e in timed if e.get("cat") == "violation")
    assert marked == Counter(each.objective for each in violations)


@settings(deadline=None, max_examples=30)  # the machine may be busy
@given(rows())
def test_every_event_is_shown_and_no_lane_overlaps(found: list[Row]) -> None:
    timeline = build.timeline(found, META)
    shown = {span.args["event"] for span in timeline.spans}
    shown |= {n for s in timeline.spans if (n := s.args.get("ended by event")) is not None}
    shown |= {mark.args["event"] for mark in timeline.marks if mark.kind is MarkKind.EVENT}
    assert shown == set(range(1, len(found) + 1))
    ends: dict[tuple[int, int], int] = {}
    for span in timeline.spans:
        assert 0 <= span.start <= span.end <= timeline.length
        assert span.start >= ends.get((span.track, span.lane), 0)
        ends[span.track, span.lane] = span.end
    assert all(0 <= mark.at <= timeline.length for mark in timeline.marks)


def names(timeline: Timeline, track: str) -> list[tuple[str, int, int, str]]:
    return [
        (span.name, span.start, span.end, span.cut)
        for span in timeline.spans
        if timeline.tracks[span.track].name == track
    ]


def test_the_hazard() -> None:
    found, bad = recordings.o1(pages=2)
    violations = [Violation(number, "O1", "why", (number - 2, number)) for number in bad]
    timeline = build.timeline(found, META, violations, verdicts={"O1": Verdict.violated(9)})
    assert [(track.name, track.group) for track in timeline.tracks] == [
        ("inode 77, page 0", Group.FOLIO),
        ("inode 77, page 1", Group.FOLIO),
        ("I/O 9, READ", Group.IO),
        ("I/O 10, WRITE", Group.IO),
    ]
    assert timeline.tracks[0].detail == "frame 0x1000, device 254:0"
    assert timeline.tracks[2].detail == "begun by dd (411), device 7:0"
    assert names(timeline, "inode 77, page 0") == [
        ("dirty", 2_000, 70_000, ""),
        ("pin, READ", 10_000, 221_000, ""),
        ("writeback", 80_000, 150_000, ""),
        ("dirty", 220_000, 221_900, "end"),
    ]
    assert names(timeline, "I/O 9, READ") == [("pin, READ", 10_000, 221_900, "")]
    assert names(timeline, "I/O 10, WRITE") == [("writeback", 80_000, 150_900, "")]
    assert [(s.at, s.pins) for s in timeline.samples if s.track == 0] == [
        (0, 0),
        (10_000, 1),
        (221_000, 0),
    ]
    assert [mark.track for mark in timeline.violations] == [0, 1]
    assert timeline.violations[0].args["evidence"] == f"events {bad[0] - 1}, {bad[0] + 1}"
    assert timeline.spans[0].args["stack"] == " < ".join(recordings.STACK)
    assert timeline.spans[0].args["flags"] == "dirty uptodate"
    assert timeline.verdicts == {"O1": Verdict.violated(9)}
    assert timeline.accused == {0, 1, 2, 3}


def test_no_kernel_address_gets_out() -> None:
    found, _ = recordings.o1()
    assert str(0xFFFF888000001000) not in chrome.text(build.timeline(found, META))


def test_a_gap_is_shown_and_nothing_is_paired_with_confidence_across_it() -> None:
    found = [
        row(Event.WRITEBACK_START, 0),
        row(Event.WRITEBACK_START, 100, dropped_before=3),
        row(Event.WRITEBACK_END, 200),
        row(Event.UNPIN, 300),
    ]
    timeline = build.timeline(found, replace(META, lost=5))
    assert [(span.kind, span.start, span.end, span.cut) for span in timeline.spans] == [
        (Kind.WRITEBACK, 0, 100, "end"),
        (Kind.PIN, 100, 300, "start"),
        (Kind.WRITEBACK, 100, 200, ""),
    ]
    assert [mark.name for mark in timeline.marks] == ["3 events lost", "2 events lost"]
    assert timeline.notes[0].startswith("5 events were lost")


def test_what_cannot_be_paired_is_a_mark() -> None:
    found = [row(kind, at) for at, kind in enumerate((Event.PIN, Event.UNPIN, Event.UNPIN))]
    timeline = build.timeline(found, META)
    assert len(timeline.spans) == 1
    assert [(mark.name, mark.at) for mark in timeline.marks] == [("unpin", 2)]


def test_frames_used_again_are_other_folios() -> None:
    found = [
        row(Event.DIRTY, 0, ino=7),
        row(Event.CACHE_DEL, 1, ino=7),
        row(Event.PIN, 2),  # truncated, but still this folio
        row(Event.PAGE_FREE, 3),
        row(Event.DIRTY, 4),
        row(Event.DIRTY, 5, ino=8),  # now its file is known
        row(Event.DIRTY, 6, ino=9),
    ]
    timeline = build.timeline(found, META)
    assert [(track.name, track.detail.count("use")) for track in timeline.tracks] == [
        ("inode 7, page 0", 0),
        ("inode 8, page 0", 1),
        ("inode 9, page 0", 1),
    ]
    assert names(timeline, "inode 7, page 0")[0] == ("dirty", 0, 1, "")


def test_overlapping_pins_end_by_their_io() -> None:
    found = [
        row(Event.PIN, 0, io_id=1),
        row(Event.PIN, 10, io_id=2),
        row(Event.UNPIN, 20, io_id=2),
        row(Event.UNPIN, 30, io_id=1),
    ]
    spans = [s for s in build.timeline(found, META).spans if s.track == 0]
    assert [(span.start, span.end, span.lane) for span in spans] == [(0, 30, 0), (10, 20, 1)]


def test_a_violation_of_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no event 2"):
        build.timeline([row(Event.DIRTY)], META, [Violation(1, "O1")])


def test_nothing_recorded() -> None:
    timeline = build.timeline([], META)
    assert timeline.length == 0 and not timeline.tracks
    assert json.loads(chrome.text(timeline))["otherData"]["events"] == 0
