"""Automata as `.dot` and back, also as the kernel's tools read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab import objectives
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.dot import from_dot, to_dot
from pinlab.objectives.events import Event

AUTOMATA = {name: o for name, o in objectives.load().items() if isinstance(o, Automaton)}


@st.composite
def automata(draw: st.DrawFn) -> Automaton:
    states = tuple(f"s{i}" for i in range(draw(st.integers(1, 4))))
    events = draw(st.lists(st.sampled_from(list(Event)), min_size=1, max_size=4, unique=True))
    pairs = [(state, event) for state in states for event in events]
    targets = {pair: draw(st.sampled_from(states)) for pair in pairs}
    bad = frozenset(draw(st.lists(st.sampled_from(pairs))))
    return Automaton(
        "X",
        "a claim",
        "a source",
        states,
        {pair: target for pair, target in targets.items() if target != pair[0]},
        bad,
        frozenset(draw(st.lists(st.sampled_from(states)))),
    )


@pytest.mark.parametrize("name", AUTOMATA)
def test_round_trip(name: str) -> None:
    assert from_dot(to_dot(AUTOMATA[name])) == AUTOMATA[name]


@given(automata())
def test_round_trip_of_any(automaton: Automaton) -> None:
    assert from_dot(to_dot(automaton)) == automaton


def read_as_the_kernel_does(text: str) -> tuple[str, set[str], dict[tuple[str, str], str]]:
    """Line by line and word by word, as Documentation/trace/rv describes the format."""
    lines = text.splitlines()
    assert lines[0].split()[:2] == ["digraph", "state_automaton"]
    at = next(i for i, line in enumerate(lines) if line.split()[0] == "{node")
    states, initial = set(), ""
    while lines[at].split()[0] == "{node":
        name = lines[at].split()[-1].replace('"', "").replace("};", "")
        if name.startswith("__init_"):
            initial = name.removeprefix("__init_")
        else:
            states.add(name)
        at += 1
    edges = {}
    at += 1  # the edge from __init_
    while lines[at].lstrip().startswith('"'):
        words = lines[at].split()
        if words[1] == "->":
            event = "".join(words[words.index("label") + 2 : -1]).replace('"', "")
            edges[words[0].strip('"'), event] = words[2].strip('"')
        at += 1
    return initial, states, edges


@pytest.mark.parametrize("name", AUTOMATA)
def test_the_kernel_reads_the_same_automaton(name: str) -> None:
    automaton = AUTOMATA[name]
    initial, states, edges = read_as_the_kernel_does(to_dot(automaton))
    assert initial == automaton.states[0]
    assert states == set(automaton.states)
    for state in states:
        for event in (event for event in Event if automaton.listens_to(event)):
            if (state, event) in automaton.bad:
                assert (state, event.value) not in edges
            else:
                target = automaton.step.get((state, event), state)
                assert edges[state, event.value] == target


def test_names_suit_the_kernel() -> None:
    for automaton in AUTOMATA.values():
        assert all(state.isidentifier() for state in automaton.states)


@pytest.mark.parametrize("text", ["", "digraph other {}", "digraph state_automaton {\n}\n"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="automaton"):
        from_dot(text)
