"""The orderings that the thread argued about, each as two or three threads and one question.

The names L1 .. L6 are those of the notes this project began with. L1 is the flag protocol of
mapcount-v3, L2 the bias with a look at PG_writeback, L3 write-protect against pin (store
buffering), L4 the walk beside a zap, L5 beside fork, L6 the exclusive flag of anonymous pages.
What is expected is the column for sequential consistency; barriers are in the programs, and do
nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    array,
    atomic,
    atomic_add,
    atomic_dec,
    atomic_inc,
    atomic_read,
    atomic_sub,
    clear_bit,
    flag,
    kernel,
    set_bit,
    smp_mb,
    smp_mb__after_atomic,
    smp_rmb,
    smp_wmb,
    u2,
    wait_event,
    xchg,
)
from tests.lab.language.solo import failures, system

refcount = atomic(0, 15)
mapcount = atomic(0, 7)
writable = flag()
writeback = flag()
pin_flag = flag()
exclusive = flag()
ptes = array(3, 0, 1)

pinned = flag()  # the pin has succeeded
missed = flag()  # the other side went on as if there were none
done = atomic(0, 3)
BIAS = 8


@kernel
def verdict(threads: u2) -> None:
    """Nobody may go on as if a pin that succeeded were not there."""
    wait_event(atomic_read(done) == threads)
    assert not (READ_ONCE(pinned) and READ_ONCE(missed))


# L1: mapcount-v3, G5 as a write barrier or a full one -------------------------------------


@kernel
def l1_gup() -> None:
    if READ_ONCE(writeback) == 0:
        atomic_inc(mapcount)
        smp_wmb()
        set_bit(pin_flag)
        smp_wmb()  # G5: smp_mb in L1b
        if READ_ONCE(writeback):
            atomic_dec(mapcount)
        else:
            set_bit(pinned)
    atomic_inc(done)


@kernel
def l1_writeback() -> None:
    set_bit(writeback)
    smp_wmb()
    if READ_ONCE(pin_flag) == 0:
        set_bit(missed)
    atomic_inc(done)


# L2: the bias, and a look at writeback ----------------------------------------------------


@kernel
def l2_gup() -> None:
    atomic_add(BIAS, refcount)
    smp_mb()
    if READ_ONCE(writeback):
        atomic_sub(BIAS, refcount)
    else:
        set_bit(pinned)
    atomic_inc(done)


@kernel
def l2_writeback() -> None:
    set_bit(writeback)
    smp_mb()
    if atomic_read(refcount) < BIAS:
        set_bit(missed)
    atomic_inc(done)


# L3: write-protect, then look at the count; the pin looks at the entry again ----------------


@kernel
def l3_gup_fast() -> None:
    if READ_ONCE(writable):
        atomic_add(BIAS, refcount)
        smp_mb__after_atomic()
        if READ_ONCE(writable):
            set_bit(pinned)
        else:
            atomic_sub(BIAS, refcount)
    atomic_inc(done)


@kernel
def l3a_plain_store() -> None:
    WRITE_ONCE(writable, 0)
    if atomic_read(refcount) < BIAS:
        set_bit(missed)
    atomic_inc(done)


@kernel
def l3b_read_barrier() -> None:
    WRITE_ONCE(writable, 0)
    smp_rmb()
    if atomic_read(refcount) < BIAS:
        set_bit(missed)
    atomic_inc(done)


@kernel
def l3c_full_barrier() -> None:
    WRITE_ONCE(writable, 0)
    smp_mb()
    if atomic_read(refcount) < BIAS:
        set_bit(missed)
    atomic_inc(done)


@kernel
def l3d_exchange() -> None:
    xchg(writable, 0)
    if atomic_read(refcount) < BIAS:
        set_bit(missed)
    atomic_inc(done)


@kernel
def l3e_looks_first() -> None:
    if atomic_read(refcount) < BIAS:
        WRITE_ONCE(writable, 0)
        set_bit(missed)
    atomic_inc(done)


# L4, L5: entries counted by a walk, against _mapcount ---------------------------------------


@kernel
def l4_zap() -> None:
    WRITE_ONCE(ptes[1], 0)
    atomic_dec(mapcount)
    atomic_inc(done)


@kernel
def l5_fork() -> None:
    atomic_inc(mapcount)
    WRITE_ONCE(ptes[2], 1)
    atomic_inc(done)


@kernel
def walk() -> u2:
    found: u2 = 0
    for i in range(3):
        found += READ_ONCE(ptes[i])
    return found


@kernel
def l4a_reads_after() -> None:
    found = walk()
    if atomic_read(mapcount) == found:
        set_bit(missed)
    atomic_inc(done)


@kernel
def l4b_reads_before() -> None:
    count = atomic_read(mapcount)
    if count == walk():
        set_bit(missed)
    atomic_inc(done)


# L6: sharing an exclusive anonymous page against a read-only pin -----------------------------


@kernel
def l6_share() -> None:
    WRITE_ONCE(ptes[0], 0)
    smp_mb()
    if atomic_read(refcount) < BIAS:
        clear_bit(exclusive)
        smp_mb__after_atomic()
        set_bit(missed)
    WRITE_ONCE(ptes[0], 1)
    atomic_inc(done)


@kernel
def l6_gup_fast() -> None:
    if READ_ONCE(ptes[0]):
        atomic_add(BIAS, refcount)
        if READ_ONCE(ptes[0]):
            smp_rmb()
            if READ_ONCE(exclusive):
                set_bit(pinned)
    atomic_inc(done)


PINNED_TWICE_MAPPED = {"mapcount": 3, "ptes": (1, 1, 0), "pinned": 1}
PINNED_ONCE_MAPPED = {"mapcount": 2, "ptes": (1, 0, 0), "pinned": 1}
EXCLUSIVE = {"ptes": (1, 0, 0), "exclusive": 1}


@pytest.mark.parametrize(
    ("pinner", "other", "initial", "loses"),
    [
        pytest.param(l1_gup, l1_writeback, {}, False, id="L1"),
        pytest.param(l2_gup, l2_writeback, {}, False, id="L2"),
        pytest.param(l3_gup_fast, l3a_plain_store, {"writable": 1}, False, id="L3a"),
        pytest.param(l3_gup_fast, l3b_read_barrier, {"writable": 1}, False, id="L3b"),
        pytest.param(l3_gup_fast, l3c_full_barrier, {"writable": 1}, False, id="L3c"),
        pytest.param(l3_gup_fast, l3d_exchange, {"writable": 1}, False, id="L3d"),
        pytest.param(l3_gup_fast, l3e_looks_first, {"writable": 1}, True, id="L3e"),
        pytest.param(l4_zap, l4a_reads_after, PINNED_TWICE_MAPPED, True, id="L4a"),
        pytest.param(l4_zap, l4b_reads_before, PINNED_TWICE_MAPPED, False, id="L4b"),
        pytest.param(l5_fork, l4b_reads_before, PINNED_ONCE_MAPPED, True, id="L5"),
        pytest.param(l6_gup_fast, l6_share, EXCLUSIVE, False, id="L6"),
    ],
)
def test_under_sequential_consistency(
    pinner: Callable[..., Any], other: Callable[..., Any], initial: dict[str, Any], loses: bool
) -> None:
    found = failures(system(pinner, other, (verdict, 2), **initial))
    assert found == ({"bug"} if loses else set())
