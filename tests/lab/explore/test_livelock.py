"""Loops over locals: those that end, however long they take, and those that never do."""

from __future__ import annotations

import pytest

from pinlab.lab.explore.result import Move
from pinlab.lab.explore.transition import LOOK_AGAIN
from pinlab.lab.language.program import (
    Binary,
    Branch,
    Const,
    Entry,
    Expr,
    Halt,
    If,
    Local,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    System,
    Var,
)

from .programs import ONE, OWN, ZERO, Explore, actors, add, equals, node, program

LIVELOCK = "failure:livelock"
COUNTER = Local(OWN)
MOST = 20_000


def loop(after: Expr, last: int, *, entry: int = 1) -> System:
    """A step; then, without a step, i = after until i is `last`; then a step."""
    nodes = [
        node(to=2),
        node(SetLocal(OWN, after), to=Branch(equals(COUNTER, last), 3, 2), visible=False),
        node(to=Halt()),
    ]
    slots = [Slot("i", 0, MOST, "f")]
    return System(program(nodes, slots=slots, entries={"f": Entry(entry, ())}), actors(1))


def test_livelock(explore: Explore) -> None:
    nodes = [node(to=2), node(to=2, visible=False)]
    found = explore(System(program(nodes), actors(1)))
    assert found.hits == {LIVELOCK: (Move(0),)}
    assert found.messages == {LIVELOCK: "f loops without a step"}
    assert found.covered == {1, 2}


@pytest.mark.parametrize("rounds", [1, LOOK_AGAIN - 1, LOOK_AGAIN, LOOK_AGAIN + 1, MOST])
def test_a_loop_that_ends_is_none(explore: Explore, rounds: int) -> None:
    found = explore(loop(add(COUNTER, 1), rounds))
    assert found.hits == {}
    assert (found.states, found.covered) == (3, frozenset({1, 2, 3}))


@pytest.mark.parametrize("period", [2, LOOK_AGAIN - 1, LOOK_AGAIN, LOOK_AGAIN + 1, 15_000])
def test_a_loop_that_goes_round_is_one(explore: Explore, period: int) -> None:
    """However late: it comes into the circle after 500 rounds."""
    after = Binary("%", add(COUNTER, 1), Const(period + 500))
    into = Binary("*", equals(COUNTER, period + 499), Const(500))
    assert explore(loop(add(after, into), MOST)).hits == {LIVELOCK: (Move(0),)}


def test_many_nodes_in_a_row_are_none(explore: Explore) -> None:
    """Nothing changes but where the actor is."""
    count = 3 * LOOK_AGAIN
    nodes = [node(to=pc + 1, visible=pc == 1) for pc in range(1, count)]
    found = explore(System(program([*nodes, node(to=Halt())]), actors(1)))
    assert (found.hits, found.states) == ({}, 3)


def test_before_the_first_step(explore: Explore) -> None:
    """One that ends has ended before the first move; one that does not is met by it."""
    ends = explore(loop(add(COUNTER, 1), MOST, entry=2))
    assert (ends.hits, ends.states) == ({}, 2)
    never = explore(loop(COUNTER, 1, entry=2))
    assert (never.hits, never.states) == ({LIVELOCK: (Move(0),)}, 1)


def test_a_shared_variable_that_counts_is_no_circle(explore: Explore) -> None:
    """The frame is the same in each round, and the loop ends."""
    count = Shared(1, ZERO)
    turn = If(Binary("<", count, Const(MOST)), (SetShared(1, ZERO, add(count, 1)),))
    nodes = [
        node(to=2),
        node(turn, to=Branch(equals(count, MOST), 3, 2), visible=False),
        node(SetShared(1, ZERO, ONE), to=Halt()),
    ]
    found = explore(System(program(nodes, shared=[Var("a", 0, MOST)]), actors(1)))
    assert (found.hits, found.states) == ({}, 3)
