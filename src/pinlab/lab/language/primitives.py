"""What each primitive does to the state: one entry of `TABLE` each.

The names and meanings are those of `pinlab.lab.language.kernel`. Lock cells hold 0 when free and
otherwise say who holds them: a spinlock or mutex the holder's number + 1; an rw_semaphore 1 ..
`READERS` for that many readers, or WRITER + the holder's number.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinlab.lab.language.declarations import IRQS_OFF, MAX_ACTORS
from pinlab.lab.language.program import (
    IN_IRQ,
    Check,
    Chosen,
    Cpu,
    Emit,
    Expr,
    Failure,
    If,
    Local,
    Self,
    SetLocal,
    SetShared,
    Shared,
)
from pinlab.lab.language.values import (
    BOOL,
    Place,
    Type,
    Value,
    binary,
    constant,
    logical_not,
)
from pinlab.objectives.events import Event

if TYPE_CHECKING:
    from pinlab.lab.language.expressions import Expressions as Lowerer

HOME = "pinlab.lab.language.kernel"
"""The module whose functions are primitives."""

PREEMPT, LOCKS = 1, 2
"""Built-in slots of every frame: depth of atomic context, locks held, in an interrupt. Until
`link` numbers the slots of a program, built-in slot n is written Local(-n)."""

READERS = 7
WRITER = 8


Lowering = Callable[["Lowerer", ast.Call, "str | None"], Value]


@dataclass(frozen=True)
class Primitive:
    """`cost` is what executing it counts as: see `pinlab.lab.cost`."""

    arguments: int
    lower: Lowering
    cost: str = ""
    awaitable: bool = False


NOTHING = constant(0)
ME = binary("+", Value(Self(), Type(0, MAX_ACTORS - 1)), constant(1))


def _old(lo: Lowerer, place: Place) -> Value:
    return Value(Shared(place.var, place.index), place.type)


def _keep(lo: Lowerer, value: Value, dest: str | None) -> Value:
    """Keep a value read in this step in a local."""
    slot = lo.local(dest, value.type) if dest else lo.temp(value.type)
    lo.emit(SetLocal(slot, value.expr))
    return Value(Local(slot), value.type)


def _set(lo: Lowerer, place: Place, value: Value) -> None:
    lo.emit(SetShared(place.var, place.index, value.expr))


def _add(lo: Lowerer, place: Place, amount: Value, sign: int) -> Value:
    """Add to a cell, with the checks of a reference count; the new value, still shared."""
    old = _old(lo, place)
    if place.kind == "refcount":
        if sign > 0:
            lo.check(
                binary(">", old, constant(0)),
                "use-after-free",
                f"{place.name} raised from zero",
            )
        else:
            lo.check(
                binary(">=", old, amount),
                "refcount-underflow",
                f"{place.name} goes below zero",
            )
    _set(lo, place, binary("+" if sign > 0 else "-", old, amount))
    return old


def _might_sleep(lo: Lowerer, name: str) -> None:
    """Checked when the call is reached, before it waits. The three conditions are only ever
    changed by this CPU, so looking at them is no step.
    """
    for slot, why in ((PREEMPT, "a spinlock is held or in RCU"), (IN_IRQ, "in an interrupt")):
        is_zero = binary("==", Value(_builtin(slot), Type(0, 7)), constant(0))
        lo.emit(Check(is_zero.expr, Failure("atomic-sleep", f"{name} may sleep, but {why}")))
    on = binary("==", _irqs_off(lo, Cpu()), constant(0))
    lo.emit(Check(on.expr, Failure("atomic-sleep", f"{name} may sleep, but interrupts are off")))


def _builtin(slot: int) -> Expr:
    return Local(-slot)


def _count(lo: Lowerer, slot: int, amount: int) -> None:
    value = binary("+", Value(_builtin(slot), Type(0, 7)), constant(amount))
    lo.emit(SetLocal(-slot, value.expr))


def _irqs_off(lo: Lowerer, cpu: Expr) -> Value:
    return Value(Shared(lo.unit.declarations.by_name[IRQS_OFF], cpu), Type(0, 3))


def _irqs(lo: Lowerer, amount: int) -> None:
    var = lo.unit.declarations.by_name[IRQS_OFF]
    if amount < 0:
        lo.check(
            binary(">", _irqs_off(lo, Cpu()), constant(0)), "unlock", "interrupts are on already"
        )
    lo.emit(SetShared(var, Cpu(), binary("+", _irqs_off(lo, Cpu()), constant(amount)).expr))


# ----------------------------------------------------------------- loads, stores, atomics


def _load(is_bool: bool = False) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        if lo.awaiting:
            return _old(lo, place)
        lo.primitive(node, ast.unparse(node.func))
        return _keep(lo, _old(lo, place), dest)

    return lower


def _static_branch(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    return _old(lo, lo.place(node.args[0]))


def _lock_state(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    held = binary("!=", _old(lo, lo.place(node.args[0])), constant(0))
    if lo.awaiting:
        return held
    lo.primitive(node, "mutex_is_locked")
    return _keep(lo, held, dest)


def _store(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place, value = lo.place(node.args[0]), lo.expression(node.args[1])
    lo.primitive(node, ast.unparse(node.func))
    _set(lo, place, value)
    return NOTHING


def _step(sign: int, returns: str, amount_first: bool = False) -> Lowering:
    """Read-modify-write by an amount: `returns` is "", "old", "new" or "zero"."""

    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        amount = lo.expression(node.args[0]) if amount_first else constant(1)
        place = lo.place(node.args[1 if amount_first else 0])
        lo.primitive(node, ast.unparse(node.func))
        old = _add(lo, place, amount, sign)
        match returns:
            case "":
                return NOTHING
            case "zero":
                return _keep(lo, binary("==", old, constant(0)), dest)
            case "new":
                return _keep(lo, old, dest)
            case _:
                before = binary("-" if sign > 0 else "+", old, amount)
                return _keep(lo, Value(before.expr, place.type), dest)

    return lower


def _unless(lo: Lowerer, place: Place, amount: Value, unless: Value, dest: str | None) -> Value:
    old = _old(lo, place)
    result = _keep(lo, binary("!=", old, unless), dest)
    value = binary("+", old, amount)
    lo.emit(If(result.expr, (SetShared(place.var, place.index, value.expr),)))
    return result


def _add_unless(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    amount, unless = lo.expression(node.args[1]), lo.expression(node.args[2])
    lo.primitive(node, "atomic_add_unless")
    return _unless(lo, place, amount, unless, dest)


def _inc_not_zero(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    lo.primitive(node, "atomic_inc_not_zero")
    return _unless(lo, place, constant(1), constant(0), dest)


def _cmpxchg(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    expected, new = lo.expression(node.args[1]), lo.expression(node.args[2])
    lo.primitive(node, "cmpxchg")
    same = binary("==", _old(lo, place), expected)
    found = lo.temp(place.type)
    lo.emit(SetLocal(found, _old(lo, place).expr))
    lo.emit(If(same.expr, (SetShared(place.var, place.index, new.expr),)))
    return Value(Local(found), place.type)


def _xchg(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place, new = lo.place(node.args[0]), lo.expression(node.args[1])
    lo.primitive(node, "xchg")
    found = lo.temp(place.type)
    lo.emit(SetLocal(found, _old(lo, place).expr))
    _set(lo, place, new)
    return Value(Local(found), place.type)


def _bit(value: int, returns: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        lo.primitive(node, ast.unparse(node.func))
        result = _keep(lo, _old(lo, place), dest) if returns else NOTHING
        _set(lo, place, constant(value))
        return result

    return lower


# ----------------------------------------------------------------- locks


def _mine(lo: Lowerer, place: Place, mine: Value) -> Value:
    return binary("==", _old(lo, place), mine)


def _acquire(
    free: Callable[[Value], Value], mine: Value, taken: Callable[[Value], Value]
) -> Callable[[Lowerer, ast.Call, Place, bool], None]:
    """Wait for the lock and take it; taking it twice is recursion, not a deadlock."""

    def lower(lo: Lowerer, node: ast.Call, place: Place, sleeps: bool) -> None:
        name = ast.unparse(node.func)
        if sleeps:
            _might_sleep(lo, name)
        block = lo.primitive(node, name)
        block.guard = binary("or", free(_old(lo, place)), _mine(lo, place, mine)).expr
        lo.check(logical_not(_mine(lo, place, mine)), "recursion", f"{place.name} is held already")
        _set(lo, place, taken(_old(lo, place)))
        _count(lo, LOCKS, 1)

    return lower


def _release(lo: Lowerer, node: ast.Call, place: Place, held: Value, left: Value) -> None:
    lo.primitive(node, ast.unparse(node.func))
    lo.check(held, "unlock", f"{place.name} is not held by this actor")
    _set(lo, place, left)
    _count(lo, LOCKS, -1)


WRITING = binary("+", Value(Self(), Type(0, MAX_ACTORS - 1)), constant(WRITER))

_exclusive = _acquire(lambda old: binary("==", old, constant(0)), ME, lambda old: ME)
_writing = _acquire(lambda old: binary("==", old, constant(0)), WRITING, lambda old: WRITING)
_reading = _acquire(
    lambda old: binary("<", old, constant(READERS)),
    WRITING,
    lambda old: binary("+", old, constant(1)),
)


def _spin_lock(irq: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        if irq:
            lo.primitive(node, "local_irq_disable")
            _irqs(lo, 1)
        _exclusive(lo, node, place, False)
        _count(lo, PREEMPT, 1)
        return NOTHING

    return lower


def _spin_unlock(irq: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        _release(lo, node, place, _mine(lo, place, ME), constant(0))
        _count(lo, PREEMPT, -1)
        if irq:
            lo.primitive(node, "local_irq_enable")
            _irqs(lo, -1)
        return NOTHING

    return lower


def _try(taken: Callable[[Value], Value], free: Callable[[Value], Value], spin: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        lo.primitive(node, ast.unparse(node.func))
        result = _keep(lo, free(_old(lo, place)), dest)
        one = Value(result.expr, BOOL)
        ops = [SetShared(place.var, place.index, taken(_old(lo, place)).expr)]
        lo.emit(If(result.expr, tuple(ops)))
        for slot in (LOCKS, PREEMPT) if spin else (LOCKS,):
            more = binary("+", Value(_builtin(slot), Type(0, 7)), one)
            lo.emit(SetLocal(-slot, more.expr))
        return result

    return lower


def _sleeping(acquire: Callable[[Lowerer, ast.Call, Place, bool], None]) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        acquire(lo, node, lo.place(node.args[0]), True)
        return NOTHING

    return lower


def _mutex_unlock(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    _release(lo, node, place, _mine(lo, place, ME), constant(0))
    return NOTHING


def _up_read(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    old = _old(lo, place)
    read = binary("and", binary(">", old, constant(0)), binary("<", old, constant(WRITER)))
    _release(lo, node, place, read, binary("-", old, constant(1)))
    return NOTHING


def _up_write(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    _release(lo, node, place, _mine(lo, place, WRITING), constant(0))
    return NOTHING


def _downgrade(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    lo.primitive(node, "downgrade_write")
    lo.check(_mine(lo, place, WRITING), "unlock", f"{place.name} is not held for writing")
    _set(lo, place, constant(1))
    return NOTHING


# ----------------------------------------------------------------- the rest


def _wait(sleeps: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        name = ast.unparse(node.func)
        if sleeps:
            _might_sleep(lo, name)
        lo.wait(node, name, lambda: lo.expression(node.args[0]))
        return NOTHING

    return lower


def _irqs_enabled(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    cpu = lo.expression(node.args[0])
    lo.inside(cpu, 0, MAX_ACTORS - 1, "cpu")
    on = binary("==", _irqs_off(lo, cpu.expr), constant(0))
    if lo.awaiting:
        return on
    lo.primitive(node, "irqs_enabled")
    return _keep(lo, on, dest)


def _irq_switch(amount: int) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        lo.primitive(node, ast.unparse(node.func))
        _irqs(lo, amount)
        return NOTHING

    return lower


def _rcu(amount: int) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        lo.primitive(node, ast.unparse(node.func), visible=False)
        _count(lo, PREEMPT, amount)
        return NOTHING

    return lower


def _barrier(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    """A node of the program, but under sequential consistency no step of its own."""
    lo.primitive(node, ast.unparse(node.func), visible=False)
    return NOTHING


def _schedule(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    _might_sleep(lo, "schedule")
    lo.primitive(node, "schedule")
    return NOTHING


def _sleeps(node_name: str) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        _might_sleep(lo, node_name)
        lo.primitive(node, node_name, visible=False)
        return NOTHING

    return lower


def _cpu(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    return Value(Cpu(), Type(0, MAX_ACTORS - 1))


def _current(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    return Value(Self(), Type(0, MAX_ACTORS - 1))


def _choose(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    n = lo.expression(node.args[0]).constant
    if n is None or n < 1:
        lo.refuse(node, "choose takes a constant of at least 1")
    assert n is not None
    block = lo.primitive(node, "choose")
    block.choices = n
    return _keep(lo, Value(Chosen(), Type(0, n - 1)), dest)


def _trace(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    event = lo.python(node.args[0])
    if not isinstance(event, Event):
        lo.refuse(node, "trace takes a member of Event first")
    page = lo.expression(node.args[1])
    lo.emit(Emit(str(event), page.expr))
    return NOTHING


def _free(old: Value) -> Value:
    return binary("==", old, constant(0))


def _no_writer(old: Value) -> Value:
    return binary("<", old, constant(READERS))


TABLE: Mapping[str, Primitive] = {
    "READ_ONCE": Primitive(1, _load(), "load", True),
    "atomic_read": Primitive(1, _load(), "load", True),
    "test_bit": Primitive(1, _load(), "load", True),
    "static_branch": Primitive(1, _static_branch, "", True),
    "mutex_is_locked": Primitive(1, _lock_state, "load", True),
    "irqs_enabled": Primitive(1, _irqs_enabled, "", True),
    "WRITE_ONCE": Primitive(2, _store, "store"),
    "atomic_set": Primitive(2, _store, "store"),
    "atomic_inc": Primitive(1, _step(1, ""), "rmw"),
    "atomic_dec": Primitive(1, _step(-1, ""), "rmw"),
    "atomic_add": Primitive(2, _step(1, "", True), "rmw"),
    "atomic_sub": Primitive(2, _step(-1, "", True), "rmw"),
    "atomic_inc_return": Primitive(1, _step(1, "new"), "rmw"),
    "atomic_dec_return": Primitive(1, _step(-1, "new"), "rmw"),
    "atomic_add_return": Primitive(2, _step(1, "new", True), "rmw"),
    "atomic_sub_return": Primitive(2, _step(-1, "new", True), "rmw"),
    "atomic_fetch_add": Primitive(2, _step(1, "old", True), "rmw"),
    "atomic_dec_and_test": Primitive(1, _step(-1, "zero"), "rmw"),
    "atomic_sub_and_test": Primitive(2, _step(-1, "zero", True), "rmw"),
    "atomic_add_unless": Primitive(3, _add_unless, "rmw"),
    "atomic_inc_not_zero": Primitive(1, _inc_not_zero, "rmw"),
    "cmpxchg": Primitive(3, _cmpxchg, "rmw"),
    "xchg": Primitive(2, _xchg, "rmw"),
    "set_bit": Primitive(1, _bit(1, False), "rmw"),
    "clear_bit": Primitive(1, _bit(0, False), "rmw"),
    "test_and_set_bit": Primitive(1, _bit(1, True), "rmw"),
    "test_and_clear_bit": Primitive(1, _bit(0, True), "rmw"),
    "smp_mb": Primitive(0, _barrier, "barrier"),
    "smp_rmb": Primitive(0, _barrier, "barrier"),
    "smp_wmb": Primitive(0, _barrier, "barrier"),
    "smp_mb__after_atomic": Primitive(0, _barrier, "barrier"),
    "smp_mb__before_atomic": Primitive(0, _barrier, "barrier"),
    "spin_lock": Primitive(1, _spin_lock(False), "lock"),
    "spin_lock_irq": Primitive(1, _spin_lock(True), "lock"),
    "spin_trylock": Primitive(1, _try(lambda old: ME, _free, True), "lock"),
    "spin_unlock": Primitive(1, _spin_unlock(False)),
    "spin_unlock_irq": Primitive(1, _spin_unlock(True)),
    "mutex_lock": Primitive(1, _sleeping(_exclusive), "lock"),
    "mutex_trylock": Primitive(1, _try(lambda old: ME, _free, False), "lock"),
    "mutex_unlock": Primitive(1, _mutex_unlock),
    "down_read": Primitive(1, _sleeping(_reading), "lock"),
    "down_read_trylock": Primitive(
        1, _try(lambda old: binary("+", old, constant(1)), _no_writer, False), "lock"
    ),
    "up_read": Primitive(1, _up_read),
    "down_write": Primitive(1, _sleeping(_writing), "lock"),
    "up_write": Primitive(1, _up_write),
    "downgrade_write": Primitive(1, _downgrade),
    "wait_event": Primitive(1, _wait(True), "wait"),
    "spin_until": Primitive(1, _wait(False), "wait"),
    "might_sleep": Primitive(0, _sleeps("might_sleep")),
    "allocate": Primitive(0, _sleeps("allocate"), "allocation"),
    "local_irq_disable": Primitive(0, _irq_switch(1)),
    "local_irq_enable": Primitive(0, _irq_switch(-1)),
    "rcu_read_lock": Primitive(0, _rcu(1)),
    "rcu_read_unlock": Primitive(0, _rcu(-1)),
    "smp_processor_id": Primitive(0, _cpu),
    "current": Primitive(0, _current),
    "choose": Primitive(1, _choose),
    "schedule": Primitive(0, _schedule),
    "trace": Primitive(2, _trace),
}
