"""Of each kind of mutant the smallest case; and all of the model's can be had."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from pinlab.lab import worlds
from pinlab.lab.mutants.mutation import KINDS, Mutant, mutants
from pinlab.lab.mutants.place import in_place_of
from tests.lab.mutants.things import alone, checked, counted, fixed, guarded, told, tried


def of(function: object, kind: str) -> list[Mutant]:
    return [it for it in mutants(function) if it.kind == kind]  # type: ignore[arg-type]


def body(mutant: Mutant) -> list[str]:
    tree = ast.parse(mutant.text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return [line for node in tree.body for line in ast.unparse(node).split("\n")]


def test_a_call_is_left_out() -> None:
    assert [body(it) for it in of(guarded, "dropped")] == [
        ["pass", "set_bit(thing.one)", "spin_unlock(thing.lock)"],
        ["spin_lock(thing.lock)", "pass", "spin_unlock(thing.lock)"],
        ["spin_lock(thing.lock)", "set_bit(thing.one)", "pass"],
    ]


def test_a_lock_goes_with_its_release() -> None:
    (it,) = of(guarded, "unlocked")
    assert body(it) == ["pass", "set_bit(thing.one)", "pass"]
    assert it.what == "spin_lock(thing.lock)"
    assert it.names == {"spin_lock", "thing"}


def test_interrupts_stay_on() -> None:
    (it,) = of(alone, "interrupts")
    assert body(it) == ["pass", "set_bit(thing.one)", "pass"]


def test_a_test_says_the_opposite_or_never_yes() -> None:
    (negated,), (never,) = of(checked, "negated"), of(checked, "unchecked")
    assert body(negated)[0] == "if not test_and_set_bit(thing.one):"
    assert body(never)[0] == "if test_and_set_bit(thing.one) and False:"


def test_neighbours_change_places() -> None:
    first, second = of(guarded, "swapped")
    assert body(first) == ["set_bit(thing.one)", "spin_lock(thing.lock)", "spin_unlock(thing.lock)"]
    assert body(second)[1:] == ["spin_unlock(thing.lock)", "set_bit(thing.one)"]
    assert len(first.lines) == 2


def test_an_atomic_operation_is_a_load_and_a_store() -> None:
    assert body(of(counted, "split")[0])[0] == "atomic_set(thing.refs, atomic_read(thing.refs) + 1)"
    assert body(of(checked, "split")[0])[:3] == [
        "found = test_bit(thing.one)",
        "if not found:",
        "    set_bit(thing.one)",
    ]
    assert body(of(tried, "split")[0])[-1] == "return found != 0"


def test_what_only_tells_the_judges_is_no_mutant() -> None:
    assert [it.kind for it in mutants(counted)] == ["dropped", "split"]  # type: ignore[arg-type]
    assert [it.kind for it in mutants(told)] == ["split"]  # type: ignore[arg-type]


def test_a_static_key_says_what_kernel_it_is() -> None:
    assert {it.kind for it in mutants(fixed)} == {"dropped"}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_every_mutant_of_the_model_is_a_function(name: str) -> None:
    kinds: Counter[str] = Counter()
    for function in worlds.load(name).functions.values():
        for it in mutants(function):
            made = in_place_of(function, it)
            assert (made.__name__, made.role) == (function.__name__, function.role)
            kinds[it.kind] += 1
    assert kinds.keys() == KINDS.keys()
