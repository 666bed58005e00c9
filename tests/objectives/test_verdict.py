"""No verdict without what it rests on; unknown is never a pass."""

from __future__ import annotations

import pytest

from pinlab.objectives.verdict import Outcome, Verdict, exit_status, worst

HOLDS = Verdict.holds("2 CPUs, 1 page")
VIOLATED = Verdict.violated(23, "2 CPUs, 1 page")
UNKNOWN = Verdict.unknown("more than 10 states")
INCONCLUSIVE = Verdict.inconclusive("3 events lost")


def test_exit_statuses() -> None:
    verdicts = (HOLDS, VIOLATED, UNKNOWN, INCONCLUSIVE)
    assert [verdict.exit_status for verdict in verdicts] == [0, 1, 3, 3]


def test_texts() -> None:
    assert str(HOLDS) == "holds (2 CPUs, 1 page)"
    assert str(VIOLATED) == "violated in 23 steps"
    assert str(Verdict.violated(1, reason="deadlock")) == "violated in 1 step: deadlock"
    assert str(UNKNOWN) == "unknown: more than 10 states"
    assert str(INCONCLUSIVE) == "inconclusive: 3 events lost"


def test_hollow_verdicts_are_refused() -> None:
    with pytest.raises(ValueError, match="needs its bounds"):
        Verdict.holds("")
    with pytest.raises(ValueError, match="needs its steps"):
        Verdict(Outcome.VIOLATED, "bounds")
    with pytest.raises(ValueError, match="needs what is missing"):
        Verdict.unknown("")
    with pytest.raises(ValueError, match="has no steps"):
        Verdict(Outcome.HOLDS, "bounds", steps=3)


def test_worst() -> None:
    assert worst([HOLDS, HOLDS]) == HOLDS
    assert worst([HOLDS, UNKNOWN]) == UNKNOWN
    assert worst([HOLDS, VIOLATED, UNKNOWN]) == VIOLATED
    assert worst([VIOLATED, Verdict.violated(9), HOLDS]).steps == 9
    assert worst([]).outcome is Outcome.UNKNOWN
    assert exit_status([HOLDS, INCONCLUSIVE]) == 3
