"""Each primitive is one atomic step, and the lab notices by itself when one is misused."""

from __future__ import annotations

import pytest

from pinlab.lab.explore.reference import explore
from pinlab.lab.language import kernel as k
from pinlab.lab.language.kernel import (
    READ_ONCE,
    VM_BUG_ON,
    WRITE_ONCE,
    Struct,
    atomic,
    atomic_add_return,
    atomic_add_unless,
    atomic_dec,
    atomic_dec_and_test,
    atomic_fetch_add,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_set,
    bounded,
    choose,
    cmpxchg,
    down_read,
    down_write,
    flag,
    irqs_enabled,
    kernel,
    local_irq_disable,
    local_irq_enable,
    mutex,
    mutex_lock,
    mutex_trylock,
    mutex_unlock,
    rcu_read_lock,
    refcount,
    rwsem,
    smp_mb,
    spin_lock,
    spin_lock_irq,
    spin_trylock,
    spin_unlock,
    spin_unlock_irq,
    spin_until,
    spinlock,
    u3,
    up_read,
    up_write,
    wait_event,
    xchg,
)
from pinlab.lab.language.source import LanguageError
from tests.lab.language.solo import failures, outcomes, system

n = atomic(-8, 7)
seen = bounded(-8, 15)
bit = flag()
lock = spinlock()
other = spinlock()
sleeping = mutex()
sem = rwsem()


@kernel
def racy_increment() -> None:
    value: u3 = READ_ONCE(n)
    WRITE_ONCE(n, value + 1)


@kernel
def atomic_increment() -> None:
    atomic_inc(n)


def test_a_load_and_a_store_lose_an_update_an_atomic_does_not() -> None:
    assert outcomes(system(racy_increment, racy_increment), "n") == {1, 2}
    assert outcomes(system(atomic_increment, atomic_increment), "n") == {2}


@kernel
def returns() -> None:
    total = atomic_add_return(3, n) * 1
    total += atomic_fetch_add(2, n)
    if cmpxchg(n, 5, 6) == 5:
        total += xchg(n, 1)
    if atomic_add_unless(n, 1, 1):
        total += 100
    if not k.test_and_set_bit(bit) and READ_ONCE(bit):
        total += 1
    WRITE_ONCE(seen, total)


def test_value_returning_atomics() -> None:
    assert outcomes(system(returns), "seen") == {3 + 3 + 6 + 1}


@kernel
def overflows() -> None:
    for _i in range(9):
        atomic_inc(n)


def test_an_overflow_is_reported_never_wrapped() -> None:
    assert failures(system(overflows)) == {"overflow"}
    assert "n = 8, outside [-8, 7]" in explore(system(overflows)).messages["failure:overflow"]


class Thing(Struct, count=1):
    """Something counted."""

    count_ = refcount(3)


@kernel
def put_twice(thing: Thing) -> None:
    if atomic_dec_and_test(thing.count_):
        atomic_dec(thing.count_)


@kernel
def get_freed(thing: Thing) -> None:
    atomic_inc(thing.count_)


@kernel
def get_speculative(thing: Thing) -> None:
    if atomic_inc_not_zero(thing.count_):
        atomic_dec(thing.count_)
    else:
        atomic_set(thing.count_, 1)


def test_reference_counts() -> None:
    assert failures(system((put_twice, 1), Thing__count_=1)) == {"refcount-underflow"}
    assert failures(system((get_freed, 1))) == {"use-after-free"}
    assert failures(system((get_speculative, 1))) == set()
    assert failures(system((get_freed, 0))) == {"null"}


@kernel
def sleep_in_spinlock() -> None:
    spin_lock(lock)
    mutex_lock(sleeping)
    mutex_unlock(sleeping)
    spin_unlock(lock)


@kernel
def sleep_with_irqs_off() -> None:
    local_irq_disable()
    down_read(sem)
    up_read(sem)
    local_irq_enable()


@kernel
def sleep_in_rcu() -> None:
    rcu_read_lock()
    wait_event(READ_ONCE(bit))


@kernel
def sleep() -> None:
    mutex_lock(sleeping)
    mutex_unlock(sleeping)


def test_sleeping_in_atomic_context_is_a_violation_even_if_it_would_not_wait() -> None:
    for function in (sleep_in_spinlock, sleep_with_irqs_off, sleep_in_rcu):
        assert failures(system(function)) == {"atomic-sleep"}
    assert failures(system(sleep)) == set()
    assert failures(system(sleep, sleep, irq_of={1: 0})) == {"atomic-sleep"}


@kernel
def unlock_only() -> None:
    mutex_unlock(sleeping)


@kernel
def lock_only() -> None:
    spin_lock(lock)


@kernel
def lock_twice() -> None:
    spin_lock(lock)
    spin_lock(lock)


def test_lock_discipline() -> None:
    assert failures(system(unlock_only)) == {"unlock"}
    assert failures(system(lock_only)) == {"lock-held"}
    assert failures(system(lock_twice)) == {"recursion"}


@kernel
def one_two() -> None:
    spin_lock(lock)
    spin_lock(other)
    spin_unlock(other)
    spin_unlock(lock)


@kernel
def two_one() -> None:
    spin_lock(other)
    spin_lock(lock)
    spin_unlock(lock)
    spin_unlock(other)


@kernel
def two_one_politely() -> None:
    spin_lock(other)
    if spin_trylock(lock):
        spin_unlock(lock)
    spin_unlock(other)


def test_lock_inversion_is_found_as_a_deadlock_with_who_waits_where() -> None:
    assert failures(system(one_two, two_one)) == {"deadlock"}
    message = explore(system(one_two, two_one)).messages["failure:deadlock"]
    assert "actor0 in one_two" in message
    assert "actor1 in two_one" in message
    assert failures(system(one_two, two_one_politely)) == set()


@kernel
def reader() -> None:
    down_read(sem)
    WRITE_ONCE(seen, READ_ONCE(n))
    up_read(sem)


@kernel
def writer() -> None:
    down_write(sem)
    WRITE_ONCE(n, 1)
    WRITE_ONCE(n, 2)
    up_write(sem)


def test_readers_never_see_a_writer_half_done() -> None:
    assert outcomes(system(reader, writer), "seen") == {0, 2}


@kernel
def take_plain() -> None:
    spin_lock(lock)
    spin_unlock(lock)


@kernel
def take_irq() -> None:
    spin_lock_irq(lock)
    spin_unlock_irq(lock)


@kernel
def irq_takes_plain() -> None:
    spin_until(True)  # the interrupt is raised at any time
    spin_lock(lock)
    spin_unlock(lock)


def test_an_interrupt_that_takes_a_lock_its_cpu_holds_deadlocks() -> None:
    assert failures(system(take_plain, irq_takes_plain, irq_of={1: 0})) == {"deadlock"}
    assert failures(system(take_irq, irq_takes_plain, irq_of={1: 0})) == set()


@kernel
def is_interrupted() -> None:
    k.schedule()
    assert READ_ONCE(n) != 1


@kernel
def irq_counts_to_two() -> None:
    for _ in range(2):
        atomic_inc(n)


def test_an_interrupt_that_begins_with_a_loop_ends_before_its_cpu_goes_on() -> None:
    assert failures(system(is_interrupted, irq_counts_to_two, irq_of={1: 0})) == set()
    assert failures(system(is_interrupted, irq_counts_to_two)) == {"bug"}


@kernel
def ipi() -> None:
    spin_until(irqs_enabled(1))
    WRITE_ONCE(seen, READ_ONCE(n))


@kernel
def irqs_off() -> None:
    local_irq_disable()
    WRITE_ONCE(n, 1)
    WRITE_ONCE(n, 0)
    local_irq_enable()


def test_an_ipi_waits_for_interrupts_on_the_other_cpu() -> None:
    # it starts outside the section; its load may still fall into one that begins later
    assert 0 in outcomes(system(ipi, irqs_off), "seen")
    stuck = system(ipi, irqs_off, irqs_off=(0, 1, 0, 0, 0, 0, 0))
    assert failures(stuck) >= {"deadlock"} or failures(stuck) >= {"lock-held"}


@kernel
def chooses() -> None:
    WRITE_ONCE(seen, choose(3))


@kernel
def barriers() -> None:
    WRITE_ONCE(n, 1)
    smp_mb()
    smp_mb()
    WRITE_ONCE(bit, 1)


@kernel
def tries() -> None:
    if mutex_trylock(sleeping):
        mutex_unlock(sleeping)
        WRITE_ONCE(seen, 1)


def test_choice_explores_every_branch() -> None:
    assert outcomes(system(chooses), "seen") == {0, 1, 2}


def test_barriers_are_nodes_of_the_program_but_no_steps_under_sequential_consistency() -> None:
    it = system(barriers)
    assert [node.primitive for node in it.program.nodes].count("smp_mb") == 2
    assert explore(it).transitions == 2


def test_trylock() -> None:
    assert outcomes(system(tries), "seen") == {1}
    assert outcomes(system(tries, sleeping=5), "seen") == {0}


gone = flag(order="strong")


@kernel
def uses_what_may_go() -> None:
    WRITE_ONCE(seen, 1)
    VM_BUG_ON(READ_ONCE(gone))


@kernel
def goes() -> None:
    WRITE_ONCE(gone, 1)


def test_an_assertion_looks_in_the_step_before_it() -> None:
    alone, both = system(uses_what_may_go), system(uses_what_may_go, goes)
    assert explore(alone).transitions == 1 and not failures(alone)
    assert failures(both) == {"bug"}
    assert len(outcomes(both, "seen")) == 1


@kernel
def looks_at_what_is_reordered() -> None:
    VM_BUG_ON(READ_ONCE(bit))


def test_an_assertion_is_not_about_what_cpus_see_in_another_order() -> None:
    with pytest.raises(LanguageError, match='VM_BUG_ON takes what is declared order="strong"'):
        system(looks_at_what_is_reordered)
