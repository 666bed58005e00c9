"""Runs counted right, whatever they were; and a later failure keeps what was measured."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pinlab.cli.witness import status
from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.witness import runs
from pinlab.field.acts.witness.evidence import Bytes, Look, Moment, Page, Whose
from pinlab.field.acts.witness.runs import Course, Series, repeat
from pinlab.field.acts.witness.scene import Hazard, Scene, Step
from pinlab.field.errors import FieldError
from pinlab.field.events.schema import Row
from pinlab.objectives.events import Event
from pinlab.report import witness as report
from tests.field.events import records

OLD, NEW = Bytes(b"\1" * 8, Whose.OLD), Bytes(b"\x5a" * 8, Whose.DEVICE)
ROWS, META = records.rows(records.o1())


def look(moment: Moment, ts_ns: int, unkept: tuple[int, ...] = (), pages: int = 4) -> Look:
    def page(index: int) -> Page:
        bad = index in unkept
        return Page(index, 70 + index, bad, False, NEW, OLD if bad else NEW, 4096 * index, not bad)

    return Look(moment, ts_ns, tuple(page(index) for index in range(pages)))


def scene(unkept: tuple[int, ...] = (), rows: list[Row] | None = None) -> Scene:
    made = Scene(Hazard.o2, FileSystem.btrfs, control=False, meta=META, rows=rows or [])
    made.steps = [
        Step(100, "answered", look(Moment.ANSWERED, 100, (0, 1, 2, 3))),
        Step(200, "a second fsync", look(Moment.SECOND_FSYNC, 200, unkept)),
        Step(300, "later", look(Moment.LATER, 300, unkept)),
        Step(400, "a third fsync", look(Moment.THIRD_FSYNC, 400)),
    ]
    return made


def series(scenes: list[Scene], asked: int | None = None) -> Series:
    return Series(Hazard.o2, FileSystem.btrfs, False, asked or len(scenes), scenes)


def row(ts_ns: int, kind: Event, index: int) -> Row:
    return dataclasses.replace(ROWS[0], ts_ns=ts_ns, kind=kind, head_pfn=70 + index, stack_id=0)


@given(st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=20))
def test_the_counts_are_those_of_the_runs(unkept: list[set[int]]) -> None:
    found = series([scene(tuple(sorted(each))) for each in unkept])
    broken = sum(bool(each) for each in unkept)
    rates = {rate.moment: rate for rate in found.rates}
    assert {rate.runs for rate in rates.values()} == {len(unkept)}
    assert rates[Moment.ANSWERED].dirty == len(unkept)
    assert rates[Moment.SECOND_FSYNC].dirty == rates[Moment.SECOND_FSYNC].differing == broken
    assert rates[Moment.THIRD_FSYNC].dirty == 0
    assert found.broken == broken
    courses = found.courses
    assert sum(courses.values()) == 4 * len(unkept)
    assert sum(n for course, n in courses.items() if not course.kept) == sum(map(len, unkept))
    assert bool(found.scenes[found.shown].broken) == bool(broken)


def test_a_course_is_of_the_second_fsync_only() -> None:
    rows = [
        row(50, Event.DIRTY, 0),  # the device's completion
        row(110, Event.DIRTY, 0),
        row(120, Event.DIRTY, 0),
        row(110, Event.DIRTY, 1),
        row(120, Event.WRITEBACK_START, 1),
        row(350, Event.WRITEBACK_START, 0),  # the third
    ]
    found = series([scene((0,), rows)]).courses
    way = " < ".join(META.stacks[0][:6])
    assert found == {
        Course(2, 0, False, (way,)): 1,
        Course(1, 1, True, (way,)): 1,
        Course(0, 0, True, ()): 2,
    }


@pytest.mark.parametrize(
    ("seen", "of", "low", "high"),
    [(0, 50, 0, 0.0713), (7, 50, 0.0695, 0.2619), (50, 50, 0.9287, 1)],
)
def test_the_interval(seen: int, of: int, low: float, high: float) -> None:
    assert report.wilson(seen, of) == pytest.approx((low, high), abs=2e-4)


def text(found: Series) -> str:
    said = io.StringIO()
    Console(width=200, file=said).print(report.to_text(found))
    return said.getvalue()


def test_an_fsync_that_did_not_do_it_is_said_so() -> None:
    said = text(series([scene(), scene((1, 2), [row(150, Event.DIRTY, 1)])]))
    assert "run 2 of 2" in said
    assert "fsync returned 0, yet the disk does not have what is in memory of pages 1, 2" in said
    assert "page 1 dirty: memory 5a5a5a5a5a5a5a5a (the device's), disk 0101010101010101" in said
    assert "after an fsync that returned 0, pages dirty or not on the disk in 1" in said
    assert "yet" not in text(series([scene()]))


def test_all_of_it_is_json() -> None:
    found = json.loads(json.dumps(report.to_json(series([scene(), scene((3,))], asked=5))))
    assert found["schema"] == "pinlab.witness/1"
    assert (found["asked"], len(found["runs"]), found["shown"]) == (5, 2, 1)
    assert [run["broken"] for run in found["runs"]] == [[], ["second_fsync"]]
    page = found["runs"][1]["steps"][1]["look"]["pages"][3]
    assert page["memory"]["head"] == found["sent"] != page["disk"]["head"]
    assert not page["same"] and page["dirty"] and page["image_byte"] == 4096 * 3


@contextmanager
def nothing(_kind: FileSystem) -> Iterator[None]:
    yield None


@pytest.mark.parametrize("failure", [FieldError("no more"), OSError(28, "no more")])
def test_a_later_failure_ends_the_runs(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    left = [scene(), scene()]

    def play(*_: object, **__: object) -> Scene:
        if not left:
            raise failure
        return left.pop()

    monkeypatch.setattr(runs, "scratch", nothing)
    monkeypatch.setattr(runs, "play", play)
    found = series([], asked=5)
    assert len(list(repeat(found))) == len(found.scenes) == 2
    assert found.ended == "no more"
    assert "ended after 2 of 5 runs: no more" in text(found)
    found = series([], asked=5)
    with pytest.raises(FieldError, match="o2 cannot be shown on btrfs: no more"):
        list(repeat(found))


def test_fewer_runs_than_were_asked_for_hold_nothing() -> None:
    pin = row(100, Event.PIN, 0)
    quiet = Scene(Hazard.truncate, FileSystem.ext4, control=True, meta=META, rows=[pin])
    found = Series(Hazard.truncate, FileSystem.ext4, True, 2, [quiet, quiet])
    assert META.lost == 0 and status(found) == 0
    found.ended = "stopped"
    assert status(found) == 3


def test_without_a_pin_there_was_nothing_to_truncate_under() -> None:
    """As on kernels whose direct I/O takes references."""
    blind = Scene(Hazard.truncate, FileSystem.ext4, control=True, meta=META)
    assert status(Series(Hazard.truncate, FileSystem.ext4, True, 1, [blind])) == 3
