"""Less of a timeline: what is accused stays, and what is left out is said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.report import recordings
from tests.report.recordings import FILE, META, row

from pinlab.errors import UsageError
from pinlab.field.events.schema import Row
from pinlab.objectives.events import Event
from pinlab.report.timeline import build, narrow
from pinlab.report.timeline.model import Timeline, Violation

OTHER = {"dev": 254 << 20, "ino": 78}


def pinned(at: int, page: int, io: int, **file: Any) -> list[Row]:
    """A page of a file that an I/O pins for a while."""
    same = {"pfn": 0x2000 + page, "index": page, "io_id": io, "op": "READ", **file}
    return [row(Event.PIN, at, **same), row(Event.UNPIN, at + 50, **same)]


@pytest.fixture
def timeline() -> Timeline:
    """Page 9 of inode 77 is accused in an I/O; earlier and other I/O of that page are not."""
    rows = [
        *pinned(0, 3, 1, **FILE),
        *pinned(100, 9, 2, **FILE),
        *pinned(200, 9, 3, **FILE),
        *pinned(300, 4, 4, **OTHER),
    ]
    return build.timeline(rows, META, [Violation(5, "O1", "", (4, 5))], title="run")


def names(timeline: Timeline) -> list[str]:
    return [track.name for track in timeline.tracks]


def counts(timeline: Timeline) -> dict[str, tuple[int, int, int]]:
    """Spans, marks and samples by the name of their track."""
    lists = (timeline.spans, timeline.marks, timeline.samples)
    return {
        track.name: tuple(sum(each.track == number for each in things) for things in lists)  # type: ignore[misc]
        for number, track in enumerate(timeline.tracks)
    }


def test_accused_is_the_folio_and_the_io_that_took_part(timeline: Timeline) -> None:
    assert [names(timeline)[track] for track in sorted(timeline.accused)] == [
        "inode 77, page 9",
        "I/O 3, READ",
    ]


def test_one_file_and_its_io(timeline: Timeline) -> None:
    found = narrow.of_inode(timeline, 78)
    assert names(found) == ["inode 78, page 4", "I/O 4, READ"]
    assert counts(found) == {name: counts(timeline)[name] for name in names(found)}
    assert not found.violations and found.notes == (
        "only folios of inode 78 and their I/O are drawn; 1 of the violations are elsewhere",
    )
    same = narrow.of_inode(timeline, 77)
    assert len(same.violations) == 1 and same.notes[0].endswith("drawn")
    with pytest.raises(UsageError, match="run has no folio of inode 5"):
        narrow.of_inode(timeline, 5)


def test_what_is_accused_is_there_however_small_the_page(timeline: Timeline) -> None:
    found = narrow.at_most(timeline, 0)
    assert names(found) == ["inode 77, page 9", "I/O 3, READ"]
    assert counts(found) == {name: counts(timeline)[name] for name in names(found)}
    assert found.accused == {0, 1} and len(found.violations) == 1
    assert found.notes[0].startswith("5 of 7 tracks are left out")
    assert found.events == timeline.events and found.length == timeline.length


def test_the_rest_is_there_as_far_as_it_fits(timeline: Timeline) -> None:
    weights = {name: sum(each) for name, each in counts(timeline).items()}
    assert narrow.at_most(timeline, sum(weights.values())) is timeline
    found = narrow.at_most(timeline, sum(weights.values()) - 1)
    assert len(found.tracks) == 6 and names(found)[:3] == names(timeline)[:3]


def test_losses_concern_all() -> None:
    rows, _ = recordings.o1()
    torn = [*rows, row(Event.DIRTY, 10**6, dropped_before=3)]
    found = narrow.at_most(build.timeline(torn, META), 1)
    assert [mark.name for mark in found.marks if mark.track is None] == ["3 events lost"]
    assert found.notes[0].startswith("3 events were lost")
