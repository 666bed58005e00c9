"""What is true of a memory model whatever the threads do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from . import threads
from .threads import BARRIERS, NOTHING, Operations, explored, operations, outcomes

WEAK = ["x86-tso", "arm64"]


@pytest.mark.parametrize("model", WEAK)
@given(operations, operations)
@settings(max_examples=15, deadline=None)
def test_both_engines_agree(model: str, one: Operations, other: Operations) -> None:
    native = explored(model, one, other, engine="native")
    read = explored(model, one, other, engine="interpreter")
    assert (native.states, native.transitions, native.depth) == (
        read.states,
        read.transitions,
        read.depth,
    )
    assert native.unbalanced == read.unbalanced
    assert native.covered == read.covered


@given(operations, operations)
@settings(max_examples=30, deadline=None)
def test_a_weaker_model_shows_all_that_a_stronger_one_does(
    one: Operations, other: Operations
) -> None:
    sc, x86, arm = (outcomes(model, one, other) for model in ("sc", *WEAK))
    assert sc <= x86
    assert x86 <= arm


@pytest.mark.parametrize("model", WEAK)
@given(operations, operations)
@settings(max_examples=25, deadline=None)
def test_a_barrier_takes_away_and_adds_nothing(
    model: str, one: Operations, other: Operations
) -> None:
    without = tuple(NOTHING if each in BARRIERS else each for each in one)
    assert len(without) == 3
    assert outcomes(model, one, other) <= outcomes(model, without, other)


@pytest.mark.parametrize("model", WEAK)
@given(operations)
@settings(max_examples=25, deadline=None)
def test_who_is_alone_notices_nothing(model: str, one: Operations) -> None:
    assert outcomes(model, one) == outcomes("sc", one)


@pytest.mark.parametrize("model", WEAK)
@given(operations, operations)
@settings(max_examples=25, deadline=None)
def test_full_barriers_give_the_order_back(model: str, one: Operations, other: Operations) -> None:
    fenced = [(each[0], threads.MB, each[1]) for each in (one, other)]
    assert outcomes(model, *fenced) == outcomes("sc", *fenced)


@given(operations, operations)
@settings(max_examples=25, deadline=None)
def test_nothing_is_forgotten_that_a_load_might_give(one: Operations, other: Operations) -> None:
    forgetting = outcomes("arm64", one, other)
    assert forgetting == outcomes("arm64", one, other, remembering=True)
