"""The callers of the mail's API: who dirties with the page lock, without it, early, never."""

from __future__ import annotations

import pytest

from pinlab.lab import check, face
from pinlab.objectives.verdict import Outcome


def verdicts(design: str, scenario: str) -> dict[str, Outcome]:
    found = check.check(face.load_design(design), (scenario,))
    return {row.objective: row.verdict.outcome for row in found.rows}


@pytest.mark.parametrize("design", ["untracked", "refcount-bias", "bounce", "skip", "never-clean"])
def test_without_the_page_lock_truncate_makes_it_a_dirty_page_without_buffers(design: str) -> None:
    """What the thread feared of put_user_pages_dirty(); no way to count pins helps."""
    unlocked = verdicts(design, "put-dirty-truncate")
    assert unlocked["O2"] is unlocked["I3"] is Outcome.VIOLATED
    assert set(verdicts(design, "put-dirty-lock-truncate").values()) == {Outcome.HOLDS}


def test_the_dirtying_falls_between_the_cleaning_and_the_end_of_the_mapping() -> None:
    found = check.check(face.load_design("bounce"), ("put-dirty-truncate",), ("O2",))
    events = [
        event for step in found.traces["O2", "put-dirty-truncate"]().steps for event in step.events
    ]
    assert [name for name, _ in events][-3:] == ["release_bufs", "clean_for_io", "dirty"]


def test_reclaim_does_no_worse_without_the_lock_than_with_it() -> None:
    """It keeps a page that anybody else refers to, so it finds nothing that fsync does not."""
    for design in ("untracked", "bounce"):
        assert verdicts(design, "put-dirty-reclaim") == verdicts(design, "put-dirty-lock-reclaim")


@pytest.mark.parametrize("scenario", ["put-clean-fsync", "dirty-early-fsync"])
def test_who_does_not_say_late_that_the_device_stored_loses_data(scenario: str) -> None:
    assert verdicts("untracked", scenario)["I4"] is Outcome.VIOLATED
    assert verdicts("bounce", scenario)["I4"] is Outcome.HOLDS  # a pinned page stays dirty


def test_what_only_a_misuse_breaks_is_asked_by_name() -> None:
    misused = {"put-dirty-truncate", "put-clean-fsync", "dirty-early-fsync"}
    played = {row.scenario for row in check.check(face.load_design("bounce")).rows}
    assert not played & misused
    assert "put-dirty-lock-truncate" in played
    summaries = {info.name: info.summary for info in face.scenarios()}
    assert all("only by name: " in summaries[name] for name in misused)
