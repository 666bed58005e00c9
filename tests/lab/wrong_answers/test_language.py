"""Sources that the compiler once read wrongly: each is now right, or refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.language import kernel as language
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    WRITE_ONCE,
    array,
    atomic_add_unless,
    atomic_inc_not_zero,
    atomic_set,
    bounded,
    cmpxchg,
    kernel,
    refcount,
    u3,
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


def test_9_only_atomic_set_raises_a_reference_count_from_zero() -> None:
    assert failures(system((starts_a_count_by_cmpxchg, 1))) == {"use-after-free"}
    assert failures(system((starts_a_count_by_cmpxchg, 1), count=2)) == set()
    assert failures(system((starts_a_count_by_cmpxchg, 0))) == set()
    assert outcomes(system(starts_a_count), "count") == {1}


# --------------------------------------------------------------------------- 10: false alarms


@kernel
def empty_range() -> None:
    for i in range(5, 2):
        WRITE_ONCE(c, i)
    WRITE_ONCE(out, 1)


def test_10_a_range_may_be_empty() -> None:
    assert outcomes(system(empty_range), "out") == {1}
    assert failures(system(empty_range)) == set()
