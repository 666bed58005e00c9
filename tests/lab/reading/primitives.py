"""The primitives by name, over `state.Machine`: which are steps, which wait, which are neither."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from tests.lab.reading.state import READERS, WRITER, Failed, Machine, Place, Request, require

Steps = Generator[Request, Any, Any]

AT_ONCE: Mapping[str, Callable[..., Any]] = {
    "might_sleep": lambda m: m.may_sleep(),
    "allocate": lambda m: m.may_sleep(),
    "rcu_read_lock": lambda m: m.me.count(1),
    "rcu_read_unlock": lambda m: m.me.count(-1),
    "smp_mb": lambda m: None,
    "smp_rmb": lambda m: None,
    "smp_wmb": lambda m: None,
    "smp_mb__after_atomic": lambda m: None,
    "smp_mb__before_atomic": lambda m: None,
    "smp_processor_id": lambda m: m.me.cpu,
    "current": lambda m: m.me.number,
    "static_branch": lambda m, place: m.load(place),
    "trace": lambda m, event, page: m.events.append((str(event), int(page))) if page else None,
}
"""No step of their own."""

LOADS: Mapping[str, Callable[..., Any]] = {
    "READ_ONCE": lambda m, place: m.load(place),
    "atomic_read": lambda m, place: m.load(place),
    "test_bit": lambda m, place: m.load(place),
    "smp_load_acquire": lambda m, place: m.load(place),
    "mutex_is_locked": lambda m, place: m.load(place) != 0,
    "irqs_enabled": lambda m, cpu: m.load(m.irqs_off(cpu)) == 0,
}
"""A step each; in a condition that is awaited, part of that one."""

STEPS: Mapping[str, Callable[..., Any]] = {
    **LOADS,
    "page_walk": lambda m, place: m.load(place),
    "WRITE_ONCE": lambda m, place, value: m.store(place, value),
    "smp_store_release": lambda m, place, value: m.store(place, value),
    "ptep_get_and_clear": lambda m, place: m.store(place, 0),
    "ptep_set_wrprotect": lambda m, place, value: m.store(place, value),
    "atomic_set": lambda m, place, value: m.store(place, value),
    "atomic_inc": lambda m, place: m.add(place, 1),
    "atomic_dec": lambda m, place: m.sub(place, 1),
    "atomic_add": lambda m, amount, place: m.add(place, amount),
    "atomic_sub": lambda m, amount, place: m.sub(place, amount),
    "atomic_inc_return": lambda m, place: m.add(place, 1),
    "atomic_dec_return": lambda m, place: m.sub(place, 1),
    "atomic_add_return": lambda m, amount, place: m.add(place, amount),
    "atomic_sub_return": lambda m, amount, place: m.sub(place, amount),
    "atomic_fetch_add": lambda m, amount, place: m.add(place, amount) - amount,
    "atomic_dec_and_test": lambda m, place: m.sub(place, 1) == 0,
    "atomic_sub_and_test": lambda m, amount, place: m.sub(place, amount) == 0,
    "atomic_add_unless": lambda m, place, value, unless: m.add_unless(place, value, unless),
    "atomic_inc_not_zero": lambda m, place: m.add_unless(place, 1, 0),
    "cmpxchg": lambda m, place, old, new: m.compare_exchange(place, old, new),
    "xchg": lambda m, place, value: m.exchange(place, value),
    "set_bit": lambda m, place: m.store(place, 1),
    "clear_bit": lambda m, place: m.store(place, 0),
    "test_and_set_bit": lambda m, place: m.exchange(place, 1),
    "test_and_clear_bit": lambda m, place: m.exchange(place, 0),
    "spin_trylock": lambda m, lock: m.try_take(lock, m.load(lock) == 0, m.me.number + 1, 1),
    "mutex_trylock": lambda m, lock: m.try_take(lock, m.load(lock) == 0, m.me.number + 1),
    "down_read_trylock": lambda m, lock: m.try_take(lock, m.load(lock) < READERS, m.load(lock) + 1),
    "spin_unlock": lambda m, lock: m.release(lock, m.load(lock) == m.me.number + 1, 0, 1),
    "mutex_unlock": lambda m, lock: m.release(lock, m.load(lock) == m.me.number + 1, 0),
    "up_read": lambda m, lock: m.release(lock, 0 < m.load(lock) < WRITER, m.load(lock) - 1),
    "up_write": lambda m, lock: m.release(lock, m.load(lock) == WRITER + m.me.number, 0),
    "downgrade_write": lambda m, lock: downgrade_write(m, lock),
    "local_irq_disable": lambda m: m.switch_irqs(1),
    "local_irq_enable": lambda m: m.switch_irqs(-1),
}
"""One step each, always possible."""

PLACE: Mapping[str, int | None] = {
    **dict.fromkeys(("irqs_enabled", "trace", "choose"), None),
    **dict.fromkeys(("atomic_add", "atomic_sub", "atomic_add_return", "atomic_sub_return"), 1),
    **dict.fromkeys(("atomic_fetch_add", "atomic_sub_and_test"), 1),
}
"""Which argument of a primitive is shared memory, if it is not the first."""


def step(m: Machine, name: str, *arguments: Any) -> Request:
    """A step that can be taken at any time."""
    if name == "irqs_enabled":  # as any index, looked at before the step
        m.irqs_off(arguments[0])
    return Request(lambda chosen: STEPS[name](m, *arguments))


def choose(m: Machine, n: int) -> Request:
    return Request(lambda chosen: chosen, choices=n)


def schedule(m: Machine) -> Request:
    m.may_sleep()
    return Request(lambda chosen: None)


def wait_event(m: Machine, condition: Callable[[], object]) -> Request:
    m.may_sleep()
    return spin_until(m, condition)


def spin_until(m: Machine, condition: Callable[[], object]) -> Request:
    """What fails while it is looked at is no reason to wait: the step is taken, and fails."""

    def holds() -> bool:
        try:
            return bool(condition())
        except (Failed, ArithmeticError, ValueError):
            return True

    return Request(lambda chosen: require(condition(), "bug"), holds)


def bug_on(m: Machine, condition: Callable[[], object]) -> None:
    """Looked at where the step before it comes to."""
    require(not condition(), "bug")


def lock(m: Machine, place: Place, *, preempt: int = 0) -> Request:
    """Wait for a lock that one may hold; one's own is not waited for."""
    mine = m.me.number + 1
    return Request(
        lambda chosen: m.take(place, mine, m.load(place) == 0, mine, preempt),
        lambda: m.load(place) in (0, mine),
    )


def spin_lock(m: Machine, place: Place) -> Request:
    return lock(m, place, preempt=1)


def mutex_lock(m: Machine, place: Place) -> Request:
    m.may_sleep()
    return lock(m, place)


def down_write(m: Machine, place: Place) -> Request:
    m.may_sleep()
    mine = WRITER + m.me.number
    return Request(
        lambda chosen: m.take(place, mine, m.load(place) == 0, mine),
        lambda: m.load(place) in (0, mine),
    )


def down_read(m: Machine, place: Place) -> Request:
    m.may_sleep()
    mine = WRITER + m.me.number
    return Request(
        lambda chosen: m.take(place, mine, m.load(place) < READERS, m.load(place) + 1),
        lambda: m.load(place) < READERS or m.load(place) == mine,
    )


def downgrade_write(m: Machine, place: Place) -> None:
    require(m.load(place) == WRITER + m.me.number, "unlock")
    m.store(place, 1)


def spin_lock_irq(m: Machine, place: Place) -> Steps:
    yield step(m, "local_irq_disable")
    yield spin_lock(m, place)


def spin_unlock_irq(m: Machine, place: Place) -> Steps:
    yield step(m, "spin_unlock", place)
    yield step(m, "local_irq_enable")


REQUESTS: Mapping[str, Callable[..., Request]] = {
    it.__name__: it for it in (choose, schedule, spin_lock, mutex_lock, down_read, down_write)
}
WAITS: Mapping[str, Callable[..., Request]] = {"wait_event": wait_event, "spin_until": spin_until}
NOW: Mapping[str, Callable[..., None]] = {"VM_BUG_ON": bug_on}
"""No step, and a condition of its own."""
TWO_STEPS: Mapping[str, Callable[..., Steps]] = {
    "spin_lock_irq": spin_lock_irq,
    "spin_unlock_irq": spin_unlock_irq,
}
