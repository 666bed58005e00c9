"""Peterson's filter lock, written in the language: counts that every checker agrees on.

Five steps a process, the wait one atomic await. The engines' tests and the benchmarks have the
same graph built by hand; here the compiler makes it.
"""

from __future__ import annotations

import pytest

from pinlab.lab.explore.reference import explore
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    array,
    current,
    kernel,
    schedule,
    u2,
    wait_event,
)
from pinlab.lab.language.program import Actor, System

level = array(4, 0, 3)  # of processes that do not run it stays 0, below any level
victim = array(4, 0, 3)


@kernel
def filter_lock(last: u2) -> None:
    me = current()
    while True:
        j: u2 = 1
        schedule()
        while j > 0:
            WRITE_ONCE(level[me], j)
            WRITE_ONCE(victim[j], me)
            wait_event(
                READ_ONCE(victim[j]) != me
                or (
                    (me == 0 or READ_ONCE(level[0]) < j)
                    and (me == 1 or READ_ONCE(level[1]) < j)
                    and (me == 2 or READ_ONCE(level[2]) < j)
                    and (me == 3 or READ_ONCE(level[3]) < j)
                )
            )
            j = j + 1 if j < last else 0
        WRITE_ONCE(level[me], 0)  # the critical section ends


@pytest.mark.parametrize(
    ("n", "states", "transitions", "depth"), [(2, 34, 62, 9), (4, 14_844, 44_120, 36)]
)
def test_counts(n: int, states: int, transitions: int, depth: int) -> None:
    actors = tuple(Actor(f"P{i}", "filter_lock", (n - 1,), daemon=True) for i in range(n))
    found = explore(System(compile_program([filter_lock]), actors))
    assert (found.states, found.transitions, found.depth) == (states, transitions, depth)
