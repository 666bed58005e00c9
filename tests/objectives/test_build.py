"""Goals, counting, judging from a given state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab import objectives
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.build import MANY, PINS, sequence, while_pinned
from pinlab.objectives.events import Event
from pinlab.objectives.judge import judge
from pinlab.objectives.verdict import Outcome

E = Event
GOAL = sequence("pin-during-writeback", [E.PIN, E.WRITEBACK_ATTEMPT], broken_by=[E.UNPIN])


def test_goal_is_reached_at_its_last_event() -> None:
    assert judge(GOAL, [E.PIN, E.DIRTY, E.WRITEBACK_ATTEMPT]).violations == (2,)


def test_goal_is_broken() -> None:
    assert judge(GOAL, [E.PIN, E.UNPIN, E.WRITEBACK_ATTEMPT]).violations == ()
    assert judge(GOAL, [E.WRITEBACK_ATTEMPT, E.PIN]).violations == ()


def test_goal_of_one_event() -> None:
    assert judge(sequence("store", [E.DEV_STORE]), [E.PIN, E.DEV_STORE]).violations == (1,)


def test_goal_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no events"):
        sequence("nothing", [])


@given(
    st.lists(st.sampled_from(list(Event)), min_size=1, max_size=4),
    st.lists(st.sampled_from(list(Event)), max_size=30),
)
def test_goal_without_breakers_is_a_subsequence(wanted: list[Event], stream: list[Event]) -> None:
    rest = iter(stream)
    contained = all(event in rest for event in wanted)
    assert bool(judge(sequence("goal", wanted), stream).violations) == contained


def test_beyond_the_bound_nothing_is_missed_and_nothing_is_sure() -> None:
    objective = while_pinned("X", "claim", "source", [E.PAGE_FREE])
    beyond = [E.PIN] * (PINS + 1) + [E.UNPIN] * PINS
    judgement = judge(objective, [*beyond, E.PAGE_FREE])
    assert judgement.state == MANY
    assert judgement.violations == ()
    assert judgement.doubtful == (len(beyond),)
    assert judgement.verdict().outcome is Outcome.INCONCLUSIVE


def test_start_from_a_snapshot() -> None:
    o2 = objectives.load()["O2"]
    assert isinstance(o2, Automaton)
    assert judge(o2, [E.DIRTY]).violations == (0,)
    assert judge(o2, [E.DIRTY], start="notified").violations == ()
    with pytest.raises(ValueError, match="cannot go on"):
        judge(o2, [E.DIRTY], start="no such state")


def test_automata_are_checked_when_made() -> None:
    with pytest.raises(ValueError, match="not a state"):
        Automaton("X", "c", "s", ("a",), {("a", E.PIN): "b"}, frozenset())
    with pytest.raises(ValueError, match="not a state"):
        Automaton("X", "c", "s", ("a",), {}, frozenset({("b", E.PIN)}))
    with pytest.raises(ValueError, match="not all states"):
        Automaton("X", "c", "s", ("a",), {}, frozenset(), frozenset({"b"}))
