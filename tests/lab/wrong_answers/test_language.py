"""Sources that the compiler once read wrongly: each is now right, or refused with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pinlab.lab.explore import native, reference
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.language import kernel as language
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    Struct,
    array,
    atomic_add_unless,
    atomic_inc_not_zero,
    atomic_set,
    bounded,
    cmpxchg,
    kernel,
    pointer,
    refcount,
    u3,
    wait_event,
)
from pinlab.lab.language.source import LanguageError
from tests.lab.language.files import module_of
from tests.lab.language.solo import failures, outcomes, system

c = bounded(0, 7)
out = bounded(0, 31)
bits = array(4, 0, 1)
count = refcount(7)


# ------------------------------------------------------- 5: a result goes where an operand was


@kernel
def assigns_its_own_operand() -> None:
    i: u3 = 2
    i = language.test_and_set_bit(bits[i])
    x: u3 = 3
    x = atomic_add_unless(c, x, 7)
    y: u3 = 3
    y = atomic_inc_not_zero(bits[y])
    WRITE_ONCE(out, i * 2 + x + y * 4)


def test_5_a_result_may_go_where_an_operand_came_from() -> None:
    it = system(assigns_its_own_operand)
    assert outcomes(it, "c") == {3}
    assert outcomes(it, "out") == {1}
    run = Interpreter(it)
    state = run.initial()
    while moves := list(run.moves(state)):
        after = run.step(state, moves[0]).state
        assert after is not None
        state = after
    at = run.places.vars[it.program.var("bits")]
    assert state[at : at + 4] == (0, 0, 1, 0)


# ------------------------------------------------------------ 9: what has no one meaning is refused

HEAD = """from __future__ import annotations
from pinlab.lab.language.kernel import *
x = 3
c = bounded(0, 7)
out = bounded(0, 255)
ref = refcount(7)
mx = mutex()
rw = rwsem()
def make(n):
    @kernel
    def inner() -> None:
        WRITE_ONCE(c, n)
    return inner
closure = make(2)
@kernel
def no_return(a: u3) -> u3:
    if a == 1:
        return 2
@kernel
def never_returns(a: u3) -> bool:
    WRITE_ONCE(c, a)
@kernel
def f() -> None:
    """

REFUSED = [
    ("if READ_ONCE(c) == 1:\n        y = 3\n    WRITE_ONCE(out, y)", "y may be read here before"),
    ("WRITE_ONCE(out, x)\n    x = 2", "x is read here before it is set"),
    ("y: u3\n    WRITE_ONCE(out, y)", "y is read here before it is set"),
    ("WRITE_ONCE(out, no_return(READ_ONCE(c)))", "no_return can end without `return` behind line"),
    ("if never_returns(READ_ONCE(c)):\n        pass", "never_returns can end without `return`"),
    (
        "for i in range(0, 3):\n        WRITE_ONCE(c, i)\n    WRITE_ONCE(out, i)",
        "i is a loop",
    ),
    ("for i in range(0, 3):\n        i = 2", "i is a loop variable"),
    ("closure()", "n: only names of the module"),
    ("y: u3 = 1\n    y: u8 = 200\n    WRITE_ONCE(out, y)", "y is annotated twice"),
    ("y = WRITE_ONCE(c, 1)", "WRITE_ONCE gives no value"),
    ("WRITE_ONCE(out, c.hi)", "c.hi is shared memory"),
    ("if wait_event(READ_ONCE(c) == 0):\n        pass", "wait_event gives no value"),
    ("WRITE_ONCE(ref, 1)", "WRITE_ONCE takes int: ref is refcount"),
    ("xchg(ref, 1)", "xchg takes int: ref is refcount"),
    ("set_bit(ref)", "set_bit takes int: ref is refcount"),
    ("WRITE_ONCE(mx, 1)", "WRITE_ONCE takes int: mx is mutex"),
    ("atomic_inc(mx)", "atomic_inc takes int or refcount: mx is mutex"),
    ("mutex_lock(c)", "mutex_lock takes mutex: c is int"),
    ("spin_lock(mx)", "spin_lock takes spinlock: mx is mutex"),
    ("spin_trylock(mx)", "spin_trylock takes spinlock: mx is mutex"),
    ("down_read(mx)", "down_read takes rwsem: mx is mutex"),
    ("mutex_unlock(rw)", "mutex_unlock takes mutex: rw is rwsem"),
]


@pytest.mark.parametrize(("body", "says"), REFUSED, ids=[body for body, _ in REFUSED])
def test_9_what_has_no_one_meaning_is_refused(tmp_path: Path, body: str, says: str) -> None:
    module = module_of(tmp_path, f"{HEAD}{body}\n")
    with pytest.raises(LanguageError, match=says) as refused:
        compile_program([module.f])
    assert refused.value.file.startswith(str(tmp_path))
    assert refused.value.line > 1


@kernel
def starts_a_count_by_cmpxchg(new: u3) -> None:
    cmpxchg(count, 0, new)


@kernel
def starts_a_count() -> None:
    atomic_set(count, 1)


@kernel
def adds_unless_one() -> None:
    atomic_add_unless(count, 1, 1)


def test_9_only_atomic_set_raises_a_reference_count_from_zero() -> None:
    assert failures(system((starts_a_count_by_cmpxchg, 1))) == {"use-after-free"}
    assert failures(system((starts_a_count_by_cmpxchg, 1), count=2)) == set()
    assert failures(system((starts_a_count_by_cmpxchg, 0))) == set()
    assert outcomes(system(starts_a_count), "count") == {1}
    assert failures(system(adds_unless_one)) == {"use-after-free"}
    assert failures(system(adds_unless_one, count=2)) == set()


# ------------------------------------------------------------------ 6: conditions that are awaited


class Node(Struct, count=2):
    x = bounded(0, 7)
    elements = array(2, 0, 7)


p = pointer(Node)
where = bounded(0, 7)
TABLE = (5, 6, 7)
ALWAYS, NEVER = True, False


@kernel
def waits_for_null_or_one() -> None:
    wait_event(READ_ONCE(p) is NULL or READ_ONCE(READ_ONCE(p).x) == 1)
    WRITE_ONCE(out, 1)


@kernel
def waits_at_an_index() -> None:
    wait_event(READ_ONCE(cast(Node, 1).elements[READ_ONCE(where)]) == 1)
    WRITE_ONCE(out, 1)


@kernel
def waits_at_a_table() -> None:
    wait_event(TABLE[READ_ONCE(where)] == 6)
    WRITE_ONCE(out, 1)


@kernel
def waits_for_a_quotient() -> None:
    wait_event(READ_ONCE(c) != 0 and 6 // READ_ONCE(c) == 3)
    WRITE_ONCE(out, 1)


@kernel
def moves_the_index() -> None:
    WRITE_ONCE(where, 5)


def test_6_what_an_awaited_condition_reads_is_checked_when_it_is_read() -> None:
    assert failures(system(waits_for_null_or_one)) == set()
    assert outcomes(system(waits_for_null_or_one), "out") == {1}
    assert outcomes(system(waits_for_null_or_one, p=2, Node__x=(0, 1)), "out") == {1}
    assert failures(system(waits_for_null_or_one, p=2, Node__x=(1, 0))) == {"deadlock"}
    assert failures(system(waits_for_a_quotient)) == {"deadlock"}
    assert outcomes(system(waits_for_a_quotient, c=2), "out") == {1}


@pytest.mark.parametrize("waits", [waits_at_an_index, waits_at_a_table])
def test_6_an_index_that_changes_while_it_is_awaited_is_checked_again(waits: object) -> None:
    assert failures(system(waits)) == {"deadlock"}
    for explored in (reference, native):
        found = explored.explore(system(waits, moves_the_index))
        assert set(found.hits) == {"failure:null"}


# -------------------------------------------------------------- 7: only what is asked is evaluated


@kernel
def asks_before_it_looks() -> None:
    i: u3 = READ_ONCE(c)
    seen = i < 3 and TABLE[i] == 5
    other: u3 = TABLE[i] if i < 3 else 0
    WRITE_ONCE(out, other + seen)


@kernel
def has_pythons_values() -> None:
    a: u3 = READ_ONCE(c)
    x: u3 = a or 5
    y: u3 = x and 6
    z: u3 = READ_ONCE(c) or 5
    WRITE_ONCE(out, x * 4 + (y == 6) + (z == x))


@kernel
def decides_at_once() -> None:
    WRITE_ONCE(out, (ALWAYS or READ_ONCE(c)) + (NEVER or READ_ONCE(c)))


@kernel
def passes_through_what_is_too_wide() -> None:
    x: u3 = (-READ_ONCE(c) and (READ_ONCE(c) or -3)) or 2
    WRITE_ONCE(out, x)


@kernel
def always_fails() -> None:
    WRITE_ONCE(out, READ_ONCE(c) << -1)


def test_7_an_operand_that_does_not_decide_is_not_stored() -> None:
    """Found by the third reading: -2 came into x, which is no u3, on its way to 2."""
    for before, after in ((0, 2), (2, 2)):
        it = system(passes_through_what_is_too_wide, c=before)
        assert (failures(it), outcomes(it, "out")) == (set(), {after})


def test_7_a_shift_that_always_fails_is_explored_natively() -> None:
    for explored in (reference, native):
        assert set(explored.explore(system(always_fails)).hits) == {"failure:bug"}


@kernel
def divides() -> None:
    WRITE_ONCE(out, 6 // READ_ONCE(c))


@kernel
def divides_in_place() -> None:
    x: u3 = 6
    x %= READ_ONCE(c)
    WRITE_ONCE(out, x)


@kernel
def shifts() -> None:
    WRITE_ONCE(out, 1 << (READ_ONCE(c) - 1))


@pytest.mark.parametrize(("before", "after"), [(0, 6), (1, 6), (5, 0)])
def test_7_what_is_not_wanted_is_not_looked_at(before: int, after: int) -> None:
    it = system(asks_before_it_looks, c=before)
    assert failures(it) == set()
    assert outcomes(it, "out") == {after}


def test_7_and_or_give_the_operand_that_decided() -> None:
    assert outcomes(system(has_pythons_values), "out") == {5 * 4 + 2}
    assert outcomes(system(has_pythons_values, c=2), "out") == {2 * 4 + 2}
    assert outcomes(system(decides_at_once, c=3), "out") == {4}


@pytest.mark.parametrize("function", [divides, divides_in_place, shifts])
def test_7_where_python_raises_an_exception_the_model_fails(function: object) -> None:
    for explored in (reference, native):
        assert set(explored.explore(system(function)).hits) == {"failure:bug"}
        assert set(explored.explore(system(function, c=2)).hits) == set()


# --------------------------------------------------------------------------- 10: false alarms


@kernel
def empty_range() -> None:
    for i in range(5, 2):
        WRITE_ONCE(c, i)
    WRITE_ONCE(out, 1)


def test_10_a_range_may_be_empty() -> None:
    assert outcomes(system(empty_range), "out") == {1}
    assert failures(system(empty_range)) == set()
