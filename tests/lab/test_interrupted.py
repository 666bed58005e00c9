"""Ctrl-C in a check: what was found is kept, what is open is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from pinlab.lab import check, face
from pinlab.lab.explore import choose
from pinlab.lab.explore.result import Exploration
from pinlab.lab.results import Activity, CheckResult
from pinlab.objectives.verdict import Outcome

THREE = ("anon-fork", "dax-truncate", "store-fsync")


def outcomes(result: CheckResult) -> dict[str, set[Outcome]]:
    found: dict[str, set[Outcome]] = {}
    for row in result.rows:
        found.setdefault(row.scenario, set()).add(row.verdict.outcome)
    return found


def test_in_the_middle_of_an_exploration() -> None:
    def press(activity: Activity) -> None:
        if activity.scenario == "store-fsync" and activity.progress is not None:
            raise KeyboardInterrupt

    design = face.load_design("untracked")
    result = check.check(design, THREE, engine="interpreter", on_progress=press)
    assert result.stopped == choose.INTERRUPTED
    assert outcomes(result)["dax-truncate"] == {Outcome.HOLDS}
    last = [row for row in result.rows if row.scenario == "store-fsync"]
    assert {row.verdict.outcome for row in last} == {Outcome.VIOLATED, Outcome.UNKNOWN}
    assert all(row.states == last[0].states > 4000 for row in last)  # as far as it got
    assert result.traces["I13", "store-fsync"]().outcome is Outcome.VIOLATED


def test_between_explorations(monkeypatch: pytest.MonkeyPatch) -> None:
    explore, calls = choose.explore, iter(range(9))

    def press(*arguments: Any, **options: Any) -> Exploration:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return explore(*arguments, **options)

    design = face.load_design("untracked")
    face.probe(design)  # its answers are kept, so that the next exploration is the first scenario
    monkeypatch.setattr(choose, "explore", press)
    result = check.check(design, THREE)
    assert result.stopped == choose.INTERRUPTED
    found = outcomes(result)
    assert set(found) == set(THREE)  # every scenario has its rows
    assert Outcome.VIOLATED in found["anon-fork"]
    assert found["dax-truncate"] == found["store-fsync"] == {Outcome.UNKNOWN}
    assert {row.reason for row in result.rows if row.scenario in THREE[1:]} == {
        "stopped: interrupted"
    }


def test_rows_come_as_they_are_found() -> None:
    heard: list[Activity] = []
    result = check.check(face.load_design("untracked"), THREE, on_progress=heard.append)
    ends = [activity for activity in heard if activity.rows]
    assert [(at.scenario, at.done, at.total) for at in ends] == [
        ("anon-fork", 1, 3),
        ("dax-truncate", 2, 3),
        ("store-fsync", 3, 3),
    ]
    assert tuple(row for at in ends for row in at.rows) == result.rows
