"""What each primitive does to the state: one entry of `TABLE` each.

The names and meanings are those of `pinlab.lab.language.kernel`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinlab.lab.language.primitives.atomics import (
    add_unless,
    bit_op,
    cmpxchg,
    inc_not_zero,
    load,
    lock_state,
    static_branch,
    step_by,
    store,
    xchg,
)
from pinlab.lab.language.primitives.context import (
    irq_switch,
    irqs_enabled,
    lower_barrier,
    lower_choose,
    lower_cpu,
    lower_current,
    lower_schedule,
    lower_sleeps,
    rcu,
    trace_event,
    wait_for,
)
from pinlab.lab.language.primitives.effects import LOCKS, ME, PREEMPT, Primitive
from pinlab.lab.language.primitives.locks import (
    WRITER,
    downgrade,
    exclusive,
    free,
    mutex_unlock,
    no_writer,
    reading,
    sleeping,
    spin_lock,
    spin_unlock,
    trylock,
    up_read,
    up_write,
    writing,
)
from pinlab.lab.language.values import binary, constant

__all__ = ["HOME", "LOCKS", "PREEMPT", "TABLE", "WRITER"]

HOME = "pinlab.lab.language.kernel"
"""The module whose functions are primitives."""

TABLE: Mapping[str, Primitive] = {
    "READ_ONCE": Primitive(1, load(), "load", True),
    "atomic_read": Primitive(1, load(), "load", True),
    "test_bit": Primitive(1, load(), "load", True),
    "static_branch": Primitive(1, static_branch, "", True),
    "mutex_is_locked": Primitive(1, lock_state, "load", True),
    "irqs_enabled": Primitive(1, irqs_enabled, "", True),
    "WRITE_ONCE": Primitive(2, store("int"), "store"),
    "atomic_set": Primitive(2, store("int", "refcount"), "store"),
    "atomic_inc": Primitive(1, step_by(1, ""), "rmw"),
    "atomic_dec": Primitive(1, step_by(-1, ""), "rmw"),
    "atomic_add": Primitive(2, step_by(1, "", True), "rmw"),
    "atomic_sub": Primitive(2, step_by(-1, "", True), "rmw"),
    "atomic_inc_return": Primitive(1, step_by(1, "new"), "rmw"),
    "atomic_dec_return": Primitive(1, step_by(-1, "new"), "rmw"),
    "atomic_add_return": Primitive(2, step_by(1, "new", True), "rmw"),
    "atomic_sub_return": Primitive(2, step_by(-1, "new", True), "rmw"),
    "atomic_fetch_add": Primitive(2, step_by(1, "old", True), "rmw"),
    "atomic_dec_and_test": Primitive(1, step_by(-1, "zero"), "rmw"),
    "atomic_sub_and_test": Primitive(2, step_by(-1, "zero", True), "rmw"),
    "atomic_add_unless": Primitive(3, add_unless, "rmw"),
    "atomic_inc_not_zero": Primitive(1, inc_not_zero, "rmw"),
    "cmpxchg": Primitive(3, cmpxchg, "rmw"),
    "xchg": Primitive(2, xchg, "rmw"),
    "set_bit": Primitive(1, bit_op(1, False), "rmw"),
    "clear_bit": Primitive(1, bit_op(0, False), "rmw"),
    "test_and_set_bit": Primitive(1, bit_op(1, True), "rmw"),
    "test_and_clear_bit": Primitive(1, bit_op(0, True), "rmw"),
    "smp_mb": Primitive(0, lower_barrier, "barrier"),
    "smp_rmb": Primitive(0, lower_barrier, "barrier"),
    "smp_wmb": Primitive(0, lower_barrier, "barrier"),
    "smp_mb__after_atomic": Primitive(0, lower_barrier, "barrier"),
    "smp_mb__before_atomic": Primitive(0, lower_barrier, "barrier"),
    "spin_lock": Primitive(1, spin_lock(False), "lock"),
    "spin_lock_irq": Primitive(1, spin_lock(True), "lock"),
    "spin_trylock": Primitive(1, trylock("spinlock", lambda old: ME, free), "lock"),
    "spin_unlock": Primitive(1, spin_unlock(False)),
    "spin_unlock_irq": Primitive(1, spin_unlock(True)),
    "mutex_lock": Primitive(1, sleeping("mutex", exclusive), "lock"),
    "mutex_trylock": Primitive(1, trylock("mutex", lambda old: ME, free), "lock"),
    "mutex_unlock": Primitive(1, mutex_unlock),
    "down_read": Primitive(1, sleeping("rwsem", reading), "lock"),
    "down_read_trylock": Primitive(
        1, trylock("rwsem", lambda old: binary("+", old, constant(1)), no_writer), "lock"
    ),
    "up_read": Primitive(1, up_read),
    "down_write": Primitive(1, sleeping("rwsem", writing), "lock"),
    "up_write": Primitive(1, up_write),
    "downgrade_write": Primitive(1, downgrade),
    "wait_event": Primitive(1, wait_for(True), "wait"),
    "spin_until": Primitive(1, wait_for(False), "wait"),
    "might_sleep": Primitive(0, lower_sleeps("might_sleep")),
    "allocate": Primitive(0, lower_sleeps("allocate"), "allocation"),
    "local_irq_disable": Primitive(0, irq_switch(1)),
    "local_irq_enable": Primitive(0, irq_switch(-1)),
    "rcu_read_lock": Primitive(0, rcu(1)),
    "rcu_read_unlock": Primitive(0, rcu(-1)),
    "smp_processor_id": Primitive(0, lower_cpu),
    "current": Primitive(0, lower_current),
    "choose": Primitive(1, lower_choose),
    "schedule": Primitive(0, lower_schedule),
    "trace": Primitive(2, trace_event),
}
