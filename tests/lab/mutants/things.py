"""Functions of which the mutants are plain to see."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    Struct,
    atomic_inc,
    atomic_inc_not_zero,
    bounded,
    clear_bit,
    flag,
    kernel,
    local_irq_disable,
    local_irq_enable,
    pointer,
    refcount,
    set_bit,
    spin_lock,
    spin_unlock,
    spinlock,
    static_branch,
    test_and_set_bit,
    trace,
)
from pinlab.objectives.events import Event


class Thing(Struct):
    """What is worked on."""

    refs = refcount(3)
    one = flag()
    other = flag()
    lock = spinlock()
    at = bounded(0, 1)
    next = pointer("Thing")


@kernel
def guarded(thing: Thing) -> None:
    spin_lock(thing.lock)
    set_bit(thing.one)
    spin_unlock(thing.lock)


@kernel
def alone(thing: Thing) -> None:
    local_irq_disable()
    set_bit(thing.one)
    local_irq_enable()


@kernel
def checked(thing: Thing) -> bool:
    if test_and_set_bit(thing.one):  # noqa: SIM103
        return False
    return True


@kernel
def counted(thing: Thing) -> None:
    atomic_inc(thing.refs)
    trace(Event.PIN, thing)


@kernel
def tried(thing: Thing) -> bool:
    return atomic_inc_not_zero(thing.refs)


@kernel
def fixed(thing: Thing) -> None:
    if static_branch(thing.at):
        clear_bit(thing.one)
    else:
        set_bit(thing.one)


@kernel
def told(thing: Thing) -> None:
    if not test_and_set_bit(thing.one):
        trace(Event.DIRTY, thing)
