"""What an audit says of the states at rest, by systems small enough to enumerate on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from pinlab.lab.explore import choose, native, reference, rest
from pinlab.lab.explore.ranges import TooWide
from pinlab.lab.explore.result import AlwaysPossible, Limits, Move
from pinlab.lab.language.program import (
    Actor,
    Check,
    Const,
    Emit,
    Entry,
    Failure,
    Halt,
    Local,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    System,
    Var,
)

from .programs import ONE, OWN, ZERO, Explore, actors, add, equals, node, program
from .test_explorers import WATCHER, interrupt_system

COUNT = Shared(1, ZERO)


def count_up(*more: Var, crowd: int = 2) -> System:
    """Each actor reads the counter, and in a second step writes what it read and one more."""
    nodes = [
        node(SetLocal(OWN, COUNT), to=2),
        node(SetShared(1, ZERO, add(Local(OWN), 1)), to=Halt(), live=[OWN]),
    ]
    made = program(nodes, shared=[Var("count", 0, crowd), *more], slots=[Slot("x", 0, crowd, "f")])
    return System(made, actors(crowd))


def lost(shared: Mapping[str, Sequence[int]]) -> Iterator[str]:
    if shared["count"][0] != 2:
        yield "an update is lost"


def value(shared: Mapping[str, Sequence[int]]) -> Iterator[str]:
    yield f"count is {shared['count'][0]}"


def test_the_first_state_at_rest_of_which_it_is_said(explore: Explore) -> None:
    found = explore(count_up(), audit=lost)
    assert found.unbalanced == {"an update is lost": (Move(0), Move(1), Move(0), Move(1))}
    both = explore(count_up(), audit=value).unbalanced
    assert both == {
        "count is 1": (Move(0), Move(1), Move(0), Move(1)),
        "count is 2": (Move(0), Move(0), Move(1), Move(1)),
    }


def test_without_an_audit_there_is_nothing(explore: Explore) -> None:
    found, own = explore(count_up()), explore(count_up(), audit=lost)
    assert found.unbalanced == {}
    assert (found.states, found.transitions) == (own.states, own.transitions)


def test_what_an_audit_is_given(explore: Explore) -> None:
    """Every element, also of what nobody writes; nothing of the automata."""
    given: list[Mapping[str, Sequence[int]]] = []

    def audit(shared: Mapping[str, Sequence[int]]) -> list[str]:
        given.append(shared)
        return []

    nodes = [node(SetShared(1, Const(2), ONE), Emit("pin", ONE), to=Halt())]
    shared = [Var("a", -3, 3, 3), Var("wide", 0, (1 << 61), 2), Var("one", 7, 7)]
    made = program(nodes, shared=shared, automata=[WATCHER], cpus=2)
    initial = {"a": (-3, 3, -1), "wide": (1 << 61, 5)}
    explore(System(made, actors(1), initial, (WATCHER.name,)), audit=audit)
    assert given == [{"irqs_off": (0, 0), "a": (-3, 3, 1), "wide": (1 << 61, 5), "one": (7,)}]


def test_a_daemon_may_be_in_the_middle_of_something(explore: Explore) -> None:
    """It takes and gives back for ever: what it has then is missing, whoever has finished."""
    nodes = [
        node(to=Halt()),
        node(SetShared(1, ZERO, ONE), to=3),
        node(SetShared(1, ZERO, ZERO), to=2),
    ]
    entries = {"f": Entry(1, ()), "take": Entry(2, ())}
    made = program(nodes, shared=[Var("count", 0, 1)], entries=entries)
    it = System(made, (Actor("task", "f"), Actor("daemon", "take", daemon=True)))
    found = explore(it, audit=value)
    assert found.unbalanced == {"count is 0": (Move(0),), "count is 1": (Move(0), Move(1))}
    alone = explore(replace(it, actors=it.actors[1:]), audit=value)
    assert alone.unbalanced == {"count is 0": (), "count is 1": (Move(0),)}
    must_finish = replace(it.actors[1], daemon=False)
    assert explore(replace(it, actors=(it.actors[0], must_finish)), audit=value).unbalanced == {}


def test_so_may_a_handler(explore: Explore) -> None:
    it = interrupt_system(1)
    nodes = list(it.program.nodes)
    nodes[4] = replace(nodes[4], ops=(SetShared(0, ONE, ONE),))
    nodes[5] = replace(nodes[5], ops=(SetShared(0, ONE, ZERO),))
    it = replace(it, program=replace(it.program, nodes=tuple(nodes)))
    found = explore(it, audit=lambda shared: [f"{shared['irqs_off'][:2]}"])
    task, irq = Move(0), Move(1)
    assert found.unbalanced == {"(0, 0)": (task,) * 3, "(0, 1)": (task,) * 3 + (irq,)}


def test_a_state_whose_step_fails_is_not_at_rest(explore: Explore) -> None:
    """Though such a step fulfils every goal."""
    check = Check(equals(COUNT, 1), Failure("bug", "it is 0"))
    it = System(program([node(check, to=Halt())], shared=[Var("count", 0, 1)]), actors(1))
    found = explore(it, None, (AlwaysPossible("finish"),), audit=value)
    assert (found.unbalanced, found.stuck) == ({}, {})


@pytest.mark.parametrize("states", [1, 11, 12])
def test_a_search_cut_off_says_what_it_has_visited(states: int) -> None:
    """There are twelve states, the last two at rest."""
    limits = Limits(max_states=states)
    one, two = (e.explore(count_up(), limits, audit=value) for e in (reference, native))
    assert (one.complete, one.unbalanced) == (two.complete, two.unbalanced)
    assert len(one.unbalanced) == (2 if one.complete else 0)


def test_a_search_cut_off_in_the_middle(explore: Explore) -> None:
    """A daemon counts; behind the task's only step every state is at rest. The tenth state is one
    more of those: it is known, but not visited."""
    nodes = [node(to=Halt()), node(SetShared(1, ZERO, add(COUNT, 1)), to=2)]
    entries = {"f": Entry(1, ()), "count": Entry(2, ())}
    made = program(nodes, shared=[Var("count", 0, 1000)], entries=entries)
    it = System(made, (Actor("task", "f"), Actor("daemon", "count", daemon=True)))
    found = explore(it, Limits(max_states=9), audit=value)
    assert not found.complete
    assert found.unbalanced == {f"count is {n}": (Move(0), *n * (Move(1),)) for n in range(4)}


def test_shares_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = native.explore(count_up(crowd=3), audit=value)
    monkeypatch.setattr(rest, "SHARE", 3)
    assert native.explore(count_up(crowd=3), audit=value).unbalanced == whole.unbalanced
    assert len(whole.unbalanced) == 3


def test_the_interpreter_must_agree() -> None:
    answers = iter([["wrong"]])
    with pytest.raises(native.ExplorersDisagree, match="wrong"):
        native.explore(count_up(crowd=1), audit=lambda _: next(answers, []))


@pytest.mark.parametrize("engine", ["auto", "interpreter", "native"])
def test_any_engine(engine: str) -> None:
    assert set(choose.explore(count_up(), audit=lost, engine=engine).unbalanced) == {
        "an update is lost"
    }


def test_a_variable_that_only_the_interpreter_can_hold() -> None:
    it = count_up(Var("far", 1 << 70, 1 << 70))
    assert set(choose.explore(it, audit=lost).unbalanced) == {"an update is lost"}
    with pytest.raises(TooWide, match="far"):
        native.explore(it, audit=lost)
