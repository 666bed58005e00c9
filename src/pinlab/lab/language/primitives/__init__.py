"""What each primitive does to the state: one entry of `TABLE` each.

The names and meanings are those of `pinlab.lab.language.kernel`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinlab.lab.language.primitives.atomics import (
    add_unless,
    bit_op,
    clear,
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
    bug_on,
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
from pinlab.lab.language.primitives.order import Order
from pinlab.lab.language.values import binary, constant

__all__ = ["HOME", "LOCKS", "PREEMPT", "TABLE", "WRITER", "Order"]

HOME = "pinlab.lab.language.kernel"
"""The module whose functions are primitives."""

TABLE: Mapping[str, Primitive] = {
    "READ_ONCE": Primitive(1, load(), Order.LOAD, "load", True),
    "atomic_read": Primitive(1, load(), Order.LOAD, "load", True),
    "test_bit": Primitive(1, load(), Order.LOAD, "load", True),
    "static_branch": Primitive(1, static_branch, Order.NONE, "", True),
    "mutex_is_locked": Primitive(1, lock_state, Order.LOAD, "load", True),
    "irqs_enabled": Primitive(1, irqs_enabled, Order.NONE, "", True),
    "WRITE_ONCE": Primitive(2, store("int"), Order.STORE, "store"),
    "atomic_set": Primitive(2, store("int", "refcount"), Order.STORE, "store"),
    "atomic_inc": Primitive(1, step_by(1, ""), Order.RMW, "rmw"),
    "atomic_dec": Primitive(1, step_by(-1, ""), Order.RMW, "rmw"),
    "atomic_add": Primitive(2, step_by(1, "", True), Order.RMW, "rmw"),
    "atomic_sub": Primitive(2, step_by(-1, "", True), Order.RMW, "rmw"),
    "atomic_inc_return": Primitive(1, step_by(1, "new"), Order.FULL, "rmw"),
    "atomic_dec_return": Primitive(1, step_by(-1, "new"), Order.FULL, "rmw"),
    "atomic_add_return": Primitive(2, step_by(1, "new", True), Order.FULL, "rmw"),
    "atomic_sub_return": Primitive(2, step_by(-1, "new", True), Order.FULL, "rmw"),
    "atomic_fetch_add": Primitive(2, step_by(1, "old", True), Order.FULL, "rmw"),
    "atomic_dec_and_test": Primitive(1, step_by(-1, "zero"), Order.FULL, "rmw"),
    "atomic_sub_and_test": Primitive(2, step_by(-1, "zero", True), Order.FULL, "rmw"),
    "atomic_add_unless": Primitive(3, add_unless, Order.FULL, "rmw"),
    "atomic_inc_not_zero": Primitive(1, inc_not_zero, Order.FULL, "rmw"),
    "cmpxchg": Primitive(3, cmpxchg, Order.FULL, "rmw"),
    "xchg": Primitive(2, xchg, Order.FULL, "rmw"),
    "ptep_get_and_clear": Primitive(1, clear, Order.RELAXED, "store"),
    "ptep_set_wrprotect": Primitive(2, store("int"), Order.RELAXED, "store"),
    "page_walk": Primitive(1, load(), Order.WALK, "load"),
    "smp_load_acquire": Primitive(1, load(), Order.LOAD_ACQUIRE, "load", True),
    "smp_store_release": Primitive(2, store("int", "refcount"), Order.STORE_RELEASE, "store"),
    "set_bit": Primitive(1, bit_op(1, False), Order.RMW, "rmw"),
    "clear_bit": Primitive(1, bit_op(0, False), Order.RMW, "rmw"),
    "test_and_set_bit": Primitive(1, bit_op(1, True), Order.FULL, "rmw"),
    "test_and_clear_bit": Primitive(1, bit_op(0, True), Order.FULL, "rmw"),
    "smp_mb": Primitive(0, lower_barrier, Order.MB, "barrier"),
    "smp_rmb": Primitive(0, lower_barrier, Order.RMB, "barrier"),
    "smp_wmb": Primitive(0, lower_barrier, Order.WMB, "barrier"),
    "smp_mb__after_atomic": Primitive(0, lower_barrier, Order.MB, "barrier"),
    "smp_mb__before_atomic": Primitive(0, lower_barrier, Order.MB, "barrier"),
    "spin_lock": Primitive(1, spin_lock(False), Order.ACQUIRE, "lock"),
    "spin_lock_irq": Primitive(1, spin_lock(True), Order.ACQUIRE, "lock"),
    "spin_trylock": Primitive(1, trylock("spinlock", lambda old: ME, free), Order.ACQUIRE, "lock"),
    "spin_unlock": Primitive(1, spin_unlock(False), Order.RELEASE),
    "spin_unlock_irq": Primitive(1, spin_unlock(True), Order.RELEASE),
    "mutex_lock": Primitive(1, sleeping("mutex", exclusive), Order.ACQUIRE, "lock"),
    "mutex_trylock": Primitive(1, trylock("mutex", lambda old: ME, free), Order.ACQUIRE, "lock"),
    "mutex_unlock": Primitive(1, mutex_unlock, Order.ATOMIC_RELEASE),
    "down_read": Primitive(1, sleeping("rwsem", reading), Order.ACQUIRE, "lock"),
    "down_read_trylock": Primitive(
        1,
        trylock("rwsem", lambda old: binary("+", old, constant(1)), no_writer),
        Order.ACQUIRE,
        "lock",
    ),
    "up_read": Primitive(1, up_read, Order.ATOMIC_RELEASE),
    "down_write": Primitive(1, sleeping("rwsem", writing), Order.ACQUIRE, "lock"),
    "up_write": Primitive(1, up_write, Order.ATOMIC_RELEASE),
    "downgrade_write": Primitive(1, downgrade, Order.ATOMIC_RELEASE),
    "wait_event": Primitive(1, wait_for(True), Order.AWAIT, "wait"),
    "spin_until": Primitive(1, wait_for(False), Order.AWAIT, "wait"),
    "might_sleep": Primitive(0, lower_sleeps("might_sleep"), Order.NONE),
    "allocate": Primitive(0, lower_sleeps("allocate"), Order.NONE, "allocation"),
    "local_irq_disable": Primitive(0, irq_switch(1), Order.NONE),
    "local_irq_enable": Primitive(0, irq_switch(-1), Order.NONE),
    "rcu_read_lock": Primitive(0, rcu(1), Order.NONE),
    "rcu_read_unlock": Primitive(0, rcu(-1), Order.NONE),
    "smp_processor_id": Primitive(0, lower_cpu, Order.NONE),
    "current": Primitive(0, lower_current, Order.NONE),
    "choose": Primitive(1, lower_choose, Order.NONE),
    "schedule": Primitive(0, lower_schedule, Order.NONE),
    "trace": Primitive(2, trace_event, Order.NONE),
    "VM_BUG_ON": Primitive(1, bug_on, Order.NONE),
}
