"""What a trace says of a step: what it read, and what it changed."""

from __future__ import annotations

from typing import Any

import pytest

from pinlab.lab import trace
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.result import Move
from pinlab.lab.language import kernel as k
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    array,
    atomic,
    atomic_add_unless,
    atomic_read,
    bounded,
    cmpxchg,
    flag,
    kernel,
    mutex,
    mutex_lock,
    mutex_trylock,
    mutex_unlock,
    static_branch,
    u3,
    wait_event,
)
from pinlab.lab.results import TraceStep
from tests.lab.language.solo import system

n = atomic(0, 7)
a = bounded(0, 7)
cells = array(4, 0, 7)
bit = flag()
key = flag()
lock = mutex()


@kernel
def load() -> None:
    x: u3 = READ_ONCE(cells[READ_ONCE(a)])
    WRITE_ONCE(n, x)


@kernel
def bits() -> None:
    if static_branch(key) and k.test_bit(bit):
        k.test_and_set_bit(bit)


@kernel
def exchange() -> None:
    cmpxchg(n, 5, 6)
    cmpxchg(n, 3, 4)
    atomic_add_unless(n, 1, 4)


@kernel
def take() -> None:
    mutex_lock(lock)
    wait_event(k.test_bit(bit))


@kernel
def attempt() -> None:
    if mutex_trylock(lock):
        mutex_unlock(lock)


@kernel
def wait() -> None:
    wait_event(atomic_read(n) == 3 and not k.test_bit(bit))


@kernel
def assume() -> None:
    assert READ_ONCE(a) == 1


@kernel
def recurse() -> None:
    mutex_lock(lock)
    mutex_lock(lock)


def steps(*functions: Any, **initial: Any) -> tuple[TraceStep, ...]:
    """The trace of one actor after the other, each to its end."""
    it = system(*functions, **initial)
    moves: list[Move] = []
    run = Interpreter(it)
    state = run.initial()
    while move := next(run.moves(state), None):
        moves.append(move)
        after = run.step(state, move).state
        if after is None:
            break
        state = after
    return trace.replay(it, tuple(moves), design="d", scenario="s", objective="I12", claim="").steps


def reads(*functions: Any, **initial: Any) -> list[dict[str, str]]:
    return [dict(step.reads) for step in steps(*functions, **initial)]


def test_a_load() -> None:
    """Each is a step, and sees its own cell only; a store reads nothing."""
    assert reads(load, a=2, cells=(0, 0, 5, 0)) == [{"a": "2"}, {"cells[2]": "5"}, {}]


def test_a_bit_that_was_set() -> None:
    """Setting it again changes nothing; what never changes is not looked at by a step."""
    assert reads(bits, bit=1, key=1) == [{"bit": "1"}, {"bit": "1"}]


def test_what_a_step_changed_is_not_said_twice() -> None:
    """The first cmpxchg() fails, the second does not, and the last finds what it is to avoid."""
    assert reads(exchange, n=3) == [{"n": "3"}, {}, {"n": "4"}]
    assert [bool(step.changes) for step in steps(exchange, n=3)] == [False, True, False]


def test_a_lock() -> None:
    """Taking one is a change; that it may sleep looks at nothing that a person asks for."""
    assert reads(take, attempt) == [{}, {"lock": "held by actor0"}]
    assert reads(attempt) == [{}, {}]


def test_a_condition_is_read_as_a_whole() -> None:
    assert reads(wait, n=3) == [{"n": "3", "bit": "0"}]


@pytest.mark.parametrize(
    ("function", "last"), [(assume, {"a": "0"}), (recurse, {"lock": "held by actor0"})]
)
def test_a_step_that_fails(function: Any, last: dict[str, str]) -> None:
    assert reads(function)[-1] == last
