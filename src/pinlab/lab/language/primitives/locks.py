"""Locks. A cell holds 0 when the lock is free and otherwise says who holds it.

A spinlock or mutex: the holder's number + 1. An rw_semaphore: 1 .. `READERS` for that many
readers, or `WRITER` + the holder's number.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from pinlab.lab.language.lowerer import Lowerer
from pinlab.lab.language.primitives.effects import (
    LOCKS,
    ME,
    PREEMPT,
    Lowering,
    builtin,
    count,
    keep,
    may_sleep,
    read,
    switch_irqs,
    target,
    write,
)
from pinlab.lab.language.program import (
    MAX_ACTORS,
    If,
    Self,
    SetLocal,
    SetShared,
)
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import (
    BOOL,
    NOTHING,
    Place,
    Type,
    Value,
    binary,
    constant,
    logical_not,
)

READERS = 7
WRITER = 8


def free(old: Value) -> Value:
    return binary("==", old, constant(0))


def no_writer(old: Value) -> Value:
    return binary("<", old, constant(READERS))


def _mine(lo: Lowerer, place: Place, mine: Value) -> Value:
    return binary("==", read(lo, place), mine)


def _acquire(
    free: Callable[[Value], Value], mine: Value, taken: Callable[[Value], Value]
) -> Callable[[Lowerer, ast.Call, Place, bool], None]:
    """Wait for the lock and take it; taking it twice is recursion, not a deadlock."""

    def lower(lo: Lowerer, node: ast.Call, place: Place, sleeps: bool) -> None:
        name = text_of(node.func)
        if sleeps:
            may_sleep(lo, name)
        block = lo.primitive(node, name)
        block.guard = binary("or", free(read(lo, place)), _mine(lo, place, mine)).expr
        lo.check(logical_not(_mine(lo, place, mine)), "recursion", f"{place.name} is held already")
        write(lo, place, taken(read(lo, place)))
        count(lo, LOCKS, 1)

    return lower


def _release(lo: Lowerer, node: ast.Call, place: Place, held: Value, left: Value) -> None:
    lo.primitive(node, text_of(node.func))
    lo.check(held, "unlock", f"{place.name} is not held by this actor")
    write(lo, place, left)
    count(lo, LOCKS, -1)


WRITING = binary("+", Value(Self(), Type(0, MAX_ACTORS - 1)), constant(WRITER))

exclusive = _acquire(lambda old: binary("==", old, constant(0)), ME, lambda old: ME)
writing = _acquire(lambda old: binary("==", old, constant(0)), WRITING, lambda old: WRITING)
reading = _acquire(
    lambda old: binary("<", old, constant(READERS)),
    WRITING,
    lambda old: binary("+", old, constant(1)),
)


def spin_lock(irq: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = target(lo, node, 0, "spinlock")
        if irq:
            lo.primitive(node, "local_irq_disable")
            switch_irqs(lo, 1)
        exclusive(lo, node, place, False)
        count(lo, PREEMPT, 1)
        return NOTHING

    return lower


def spin_unlock(irq: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = target(lo, node, 0, "spinlock")
        _release(lo, node, place, _mine(lo, place, ME), constant(0))
        count(lo, PREEMPT, -1)
        if irq:
            lo.primitive(node, "local_irq_enable")
            switch_irqs(lo, -1)
        return NOTHING

    return lower


def trylock(kind: str, taken: Callable[[Value], Value], free: Callable[[Value], Value]) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = target(lo, node, 0, kind)
        lo.primitive(node, text_of(node.func))
        result = keep(lo, free(read(lo, place)), dest)
        one = Value(result.expr, BOOL)
        ops = [SetShared(place.var, place.index, taken(read(lo, place)).expr)]
        lo.emit(If(result.expr, tuple(ops)))
        for slot in (LOCKS, PREEMPT) if kind == "spinlock" else (LOCKS,):
            more = binary("+", Value(builtin(slot), Type(0, 7)), one)
            lo.emit(SetLocal(-slot, more.expr))
        return result

    return lower


def sleeping(kind: str, acquire: Callable[[Lowerer, ast.Call, Place, bool], None]) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        acquire(lo, node, target(lo, node, 0, kind), True)
        return NOTHING

    return lower


def mutex_unlock(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "mutex")
    _release(lo, node, place, _mine(lo, place, ME), constant(0))
    return NOTHING


def up_read(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "rwsem")
    old = read(lo, place)
    by_readers = binary("and", binary(">", old, constant(0)), binary("<", old, constant(WRITER)))
    _release(lo, node, place, by_readers, binary("-", old, constant(1)))
    return NOTHING


def up_write(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "rwsem")
    _release(lo, node, place, _mine(lo, place, WRITING), constant(0))
    return NOTHING


def downgrade(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "rwsem")
    lo.primitive(node, "downgrade_write")
    lo.check(_mine(lo, place, WRITING), "unlock", f"{place.name} is not held for writing")
    write(lo, place, constant(1))
    return NOTHING
