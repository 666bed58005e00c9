"""Threads put together at random: each of their three operations is an argument."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

from hypothesis import strategies as st

from pinlab.lab.explore import choose
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    array,
    atomic_add_unless,
    atomic_inc,
    atomic_inc_return,
    bounded,
    kernel,
    smp_load_acquire,
    smp_mb,
    smp_rmb,
    smp_store_release,
    smp_wmb,
    u4,
    u5,
)
from pinlab.lab.language.program import Actor, Program, System
from pinlab.lab.weak import MODELS, SC
from pinlab.lab.weak.ahead import Ahead
from pinlab.lab.weak.weaken import weaken

x = bounded(0, 15)
y = bounded(0, 15)
seen = array(9, 0, 15, order="strong")

OPERATIONS = 14
NOTHING, MB, RMB, WMB = 0, 1, 2, 3
BARRIERS = (MB, RMB, WMB)


@kernel
def do(operation: u5, out: u4) -> None:
    """One operation. What it loads goes to `seen`; what it stores tells who stored it."""
    if operation == 1:
        smp_mb()
    elif operation == 2:
        smp_rmb()
    elif operation == 3:
        smp_wmb()
    elif operation == 4:
        WRITE_ONCE(seen[out], READ_ONCE(x))
    elif operation == 5:
        WRITE_ONCE(seen[out], READ_ONCE(y))
    elif operation == 6:
        WRITE_ONCE(x, out + 1)
    elif operation == 7:
        WRITE_ONCE(y, out + 1)
    elif operation == 8:
        atomic_inc(x)
    elif operation == 9:
        WRITE_ONCE(seen[out], atomic_inc_return(y))
    elif operation == 10:
        if atomic_add_unless(y, 1, 2):
            WRITE_ONCE(seen[out], 15)
    elif operation == 11:
        smp_store_release(x, out + 1)
    elif operation == 12:
        WRITE_ONCE(seen[out], smp_load_acquire(y))
    elif operation == 13:
        WRITE_ONCE(seen[out], smp_load_acquire(x))


@kernel
def thread(out: u4, first: u5, second: u5, third: u5) -> None:
    """Three operations."""
    do(first, out)
    do(second, out + 1)
    do(third, out + 2)


Operations = tuple[int, int, int]

operations = st.tuples(*[st.integers(0, OPERATIONS - 1)] * 3)


@cache
def program(model: str, threads: int, remembering: bool = False) -> Program:
    """The threads' program under a model; `remembering` all that might have been loaded early,
    though nobody will load it."""
    it = compile_program([thread])
    if not remembering:
        return it if model == SC else weaken(it, MODELS[model], threads)
    every = [-1] * len(it.nodes)
    with patch("pinlab.lab.weak.weaken.ahead", return_value=Ahead(every, every)):
        return weaken(it, MODELS[model], threads)


def explored(
    model: str,
    *threads: Operations,
    remembering: bool = False,
    engine: str = "native",
) -> Exploration:
    """All that these threads can do; each outcome is a key of `unbalanced`."""
    actors = tuple(
        Actor(f"P{number}", "thread", (3 * number, *each)) for number, each in enumerate(threads)
    )
    it = System(program(model, len(threads), remembering), actors)
    found = choose.explore(
        it,
        Limits(),
        engine=engine,
        audit=lambda at: [f"x={at['x']} y={at['y']} seen={at['seen']}"],
    )
    assert found.complete
    assert not found.failures
    return found


def outcomes(model: str, *threads: Operations, remembering: bool = False) -> frozenset[str]:
    """What may have been loaded, and be in memory, at the end."""
    return frozenset(explored(model, *threads, remembering=remembering).unbalanced)
