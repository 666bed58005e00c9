"""Each objective on its smallest good and bad stream, and against an independent reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab import objectives
from pinlab.lab.language.program import FAILURE_KINDS
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.build import PINS
from pinlab.objectives.events import Event
from pinlab.objectives.failures import FAILURES, failures_of
from pinlab.objectives.judge import judge
from pinlab.objectives.progress import Progress
from pinlab.objectives.verdict import Outcome

E = Event

BAD = {
    "O1": [E.WRITEBACK_START, E.DEV_STORE],
    "O2": [E.DIRTY],
    "O3": [E.PIN, E.BLOCK_REUSE],
    "I1": [E.PIN, E.PAGE_FREE],
    "I3": [E.RELEASE_BUFFERS, E.DIRTY],
    "I4": [E.READ_STALE],
    "I5": [E.PIN_STALE],
    "I6": [E.COW_LEAK],
    "I8": [E.PIN, E.BLOCK_FREE],
    "I9": [E.WALK_FREED],
    "I10": [E.UNPIN],
    "I11": [E.PIN_LONGTERM_DAX],
    "I13": [E.PIN, E.QUERY, E.ANSWER_UNPINNED],
}
"""The last event is the violation, and the only one."""

GOOD = {
    "O1": [
        [E.DEV_STORE, E.WRITEBACK_START, E.WRITEBACK_END, E.DEV_STORE],
        [E.WRITEBACK_BOUNCE, E.DEV_STORE, E.WRITEBACK_END],
    ],
    "O2": [
        [E.FAULT_MKWRITE, E.DIRTY, E.CLEAN_FOR_IO, E.FAULT_MKWRITE, E.DIRTY],
        [E.CACHE_DEL, E.DIRTY],
        [E.FAULT_MKWRITE, E.CACHE_DEL, E.DIRTY],
    ],
    "O3": [[E.PIN, E.BLOCK_FREE, E.UNPIN, E.BLOCK_REUSE]],
    "I1": [[E.PIN, E.UNPIN, E.PAGE_FREE], [E.PAGE_FREE, E.PAGE_ALLOC, E.PIN]],
    "I3": [
        [E.DIRTY, E.ATTACH_BUFFERS, E.DIRTY],
        [E.RELEASE_BUFFERS, E.ATTACH_BUFFERS, E.DIRTY],
        [E.RELEASE_BUFFERS, E.CACHE_DEL, E.DIRTY],
    ],
    "I4": [[E.READ_FRESH, E.DEV_STORE]],
    "I5": [[E.PIN, E.UNPIN]],
    "I6": [[E.PIN]],
    "I8": [[E.PIN, E.PIN, E.UNPIN, E.UNPIN, E.BLOCK_FREE]],
    "I9": [[E.PIN]],
    "I10": [[E.PIN, E.PIN, E.UNPIN, E.UNPIN]],
    "I11": [[E.PIN]],
    "I13": [
        [E.QUERY, E.ANSWER_UNPINNED],
        [E.QUERY, E.PIN, E.ANSWER_UNPINNED],
        [E.PIN, E.QUERY, E.ANSWER_PINNED],
        [E.PIN, E.QUERY, E.UNPIN, E.ANSWER_UNPINNED],
        [E.PIN, E.QUERY, E.UNPIN, E.PIN, E.ANSWER_UNPINNED],
        [E.QUERY, E.PIN, E.QUERY, E.ANSWER_UNPINNED],
    ],
}

LOADED = objectives.load()
AUTOMATA = {name: o for name, o in LOADED.items() if isinstance(o, Automaton)}
streams = st.lists(st.sampled_from(list(Event)), max_size=40)


def test_order() -> None:
    assert " ".join(LOADED) == "O1 O2 O3 I1 I3 I4 I5 I6 I8 I9 I10 I11 I12 I13 I13b I16"


def test_every_automaton_has_examples() -> None:
    assert set(BAD) == set(GOOD) == set(AUTOMATA)


@pytest.mark.parametrize("name", BAD)
def test_smallest_violation(name: str) -> None:
    judgement = judge(AUTOMATA[name], BAD[name])
    assert judgement.violations == (len(BAD[name]) - 1,)
    verdict = judgement.verdict()
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.steps == len(BAD[name])


@pytest.mark.parametrize("name", BAD)
def test_nothing_smaller_violates(name: str) -> None:
    bad = BAD[name]
    for i in range(len(bad)):
        assert not judge(AUTOMATA[name], bad[:i] + bad[i + 1 :]).violations


STORIES = {
    "O1": [E.PIN, E.MKCLEAN, E.CLEAN_FOR_IO, E.WRITEBACK_START, E.DEV_STORE],
    "O2": [E.FAULT_MKWRITE, E.DIRTY, E.PIN, E.CLEAN_FOR_IO, E.UNPIN, E.DIRTY],
    "O3": [E.PIN, E.BLOCK_FREE, E.BLOCK_REUSE],
    "I3": [E.ATTACH_BUFFERS, E.DIRTY, E.CLEAN_FOR_IO, E.RELEASE_BUFFERS, E.DIRTY],
    "I10": [E.PIN, E.UNPIN, E.UNPIN],
    "I13": [E.PIN, E.PIN, E.QUERY, E.UNPIN, E.ANSWER_UNPINNED],
}
"""The same violations as they happen in a kernel."""


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    assert judge(AUTOMATA[name], STORIES[name]).violations == (len(STORIES[name]) - 1,)


@pytest.mark.parametrize(("name", "stream"), [(n, s) for n, all_ in GOOD.items() for s in all_])
def test_good(name: str, stream: list[Event]) -> None:
    judgement = judge(AUTOMATA[name], stream)
    assert judgement.violations == judgement.doubtful == ()
    assert judgement.verdict().outcome is Outcome.HOLDS


@pytest.mark.parametrize("objective", LOADED.values(), ids=list(LOADED))
def test_words(objective: objectives.Objective) -> None:
    assert objective.claim
    assert objective.source
    assert "\n" not in objective.claim + objective.source
    assert len(objective.claim) <= 80


@pytest.mark.parametrize("name", AUTOMATA)
def test_states_are_reachable_and_violable(name: str) -> None:
    automaton = AUTOMATA[name]
    reached = {automaton.states[0]}
    todo = list(reached)
    while todo:
        state = todo.pop()
        for event in Event:
            target = automaton.step.get((state, event), state)
            if target not in reached:
                reached.add(target)
                todo.append(target)
    assert reached == set(automaton.states)
    assert automaton.bad


def test_progress() -> None:
    kinds = {name: o.event for name, o in LOADED.items() if isinstance(o, Progress)}
    assert kinds == {"I12": None, "I13b": Event.ANSWER_UNPINNED}


def test_every_failure_of_the_lab_breaks_an_objective() -> None:
    assert set(FAILURES) == set(FAILURE_KINDS)
    assert set(FAILURES.values()) <= set(LOADED)
    assert failures_of("I10") == ("refcount-underflow", "overflow")
    assert failures_of("O1") == ()


FORBIDDEN = {"O3": E.BLOCK_REUSE, "I1": E.PAGE_FREE, "I8": E.BLOCK_FREE}


@given(st.sampled_from(sorted(FORBIDDEN)), streams)
def test_pinned_objectives_count(name: str, stream: list[Event]) -> None:
    """Exact while at most PINS pins are held; after that, never blind."""
    pins = 0
    exact = True
    expected = []
    for i, event in enumerate(stream):
        if event is FORBIDDEN[name] and pins:
            expected.append(i)
        pins += event is E.PIN
        pins = max(pins - (event is E.UNPIN), 0)
        exact = exact and pins <= PINS
    judgement = judge(AUTOMATA[name], stream)
    if exact:
        assert list(judgement.violations) == expected
        assert judgement.doubtful == ()
    assert set(expected) <= {*judgement.violations, *judgement.doubtful}


question = [E.PIN, E.UNPIN, E.QUERY, E.ANSWER_PINNED, E.ANSWER_UNPINNED]


@given(st.lists(st.sampled_from(question), max_size=40))
def test_detector_soundness_by_definition(stream: list[Event]) -> None:
    """I13 with one asker: wrong if and only if pinned at every instant of the question."""
    pins: list[int] = [0]  # pins[i]: held before event i
    asked: int | None = None
    expected = []
    for i, event in enumerate(stream):
        if event is E.QUERY:
            if asked is not None:
                return  # this reference knows one asker
            asked = i
        elif event in (E.ANSWER_PINNED, E.ANSWER_UNPINNED):
            if asked is None:
                return
            if event is E.ANSWER_UNPINNED and all(pins[asked : i + 1]):
                expected.append(i)
            asked = None
        now = pins[-1] + (event is E.PIN) - (event is E.UNPIN)
        pins.append(max(now, 0))
        if now > PINS:
            return
    assert list(judge(AUTOMATA["I13"], stream).violations) == expected


@given(st.sampled_from(sorted(AUTOMATA)), streams, st.integers(0, 40))
def test_batches_are_judged_as_the_whole(name: str, stream: list[Event], cut: int) -> None:
    automaton = AUTOMATA[name]
    first = judge(automaton, stream[:cut])
    assert judge(automaton, stream[cut:], after=first) == judge(automaton, stream)


@given(st.sampled_from(sorted(AUTOMATA)), streams)
def test_events_not_listened_to_are_idle(name: str, stream: list[Event]) -> None:
    automaton = AUTOMATA[name]
    heard = [event for event in stream if automaton.listens_to(event)]
    whole, sieved = judge(automaton, stream), judge(automaton, heard)
    assert whole.state == sieved.state
    assert [stream[i] for i in whole.violations] == [heard[i] for i in sieved.violations]
