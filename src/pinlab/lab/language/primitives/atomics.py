"""Loads, stores and read-modify-writes of one cell."""

from __future__ import annotations

import ast

from pinlab.lab.language.lowerer import Lowerer
from pinlab.lab.language.primitives.effects import (
    Lowering,
    add_to,
    keep,
    read,
    target,
    write,
)
from pinlab.lab.language.program import (
    If,
    Local,
    SetLocal,
    SetShared,
)
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import (
    NOTHING,
    Place,
    Value,
    binary,
    constant,
    logical_not,
)


def load(is_bool: bool = False) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = lo.place(node.args[0])
        if lo.awaiting:
            return read(lo, place)
        lo.primitive(node, text_of(node.func))
        return keep(lo, read(lo, place), dest)

    return lower


def static_branch(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = lo.place(node.args[0])
    lo.unit.declarations.static.setdefault(place.var, f"{lo.source.file}:{node.lineno}")
    return read(lo, place)


def lock_state(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    held = binary("!=", read(lo, lo.place(node.args[0])), constant(0))
    if lo.awaiting:
        return held
    lo.primitive(node, "mutex_is_locked")
    return keep(lo, held, dest)


def store(*kinds: str) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place, value = target(lo, node, 0, *kinds), lo.expression(node.args[1])
        lo.primitive(node, text_of(node.func))
        write(lo, place, value)
        return NOTHING

    return lower


def clear(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "int")
    lo.primitive(node, text_of(node.func))
    write(lo, place, constant(0))
    return NOTHING


def step_by(sign: int, returns: str, amount_first: bool = False) -> Lowering:
    """Read-modify-write by an amount: `returns` is "", "old", "new" or "zero"."""

    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        amount = lo.expression(node.args[0]) if amount_first else constant(1)
        place = target(lo, node, 1 if amount_first else 0, "int", "refcount")
        lo.primitive(node, text_of(node.func))
        old = add_to(lo, place, amount, sign)
        match returns:
            case "":
                return NOTHING
            case "zero":
                return keep(lo, binary("==", old, constant(0)), dest)
            case "new":
                return keep(lo, old, dest)
            case _:
                before = binary("-" if sign > 0 else "+", old, amount)
                return keep(lo, Value(before.expr, place.type), dest)

    return lower


def _unless(lo: Lowerer, place: Place, amount: Value, unless: Value, dest: str | None) -> Value:
    old = read(lo, place)
    if place.kind == "refcount" and unless.constant != 0:
        was_not = binary("!=", old, constant(0))
        fine = binary("or", was_not, binary("==", unless, constant(0)))
        lo.check(fine, "use-after-free", f"{place.name} raised from zero")
    result = keep(lo, binary("!=", old, unless), dest)
    value = binary("+", old, amount)
    lo.emit(If(result.expr, (SetShared(place.var, place.index, value.expr),)))
    return result


def add_unless(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "int", "refcount")
    amount, unless = lo.expression(node.args[1]), lo.expression(node.args[2])
    lo.primitive(node, "atomic_add_unless")
    return _unless(lo, place, amount, unless, dest)


def inc_not_zero(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "int", "refcount")
    lo.primitive(node, "atomic_inc_not_zero")
    return _unless(lo, place, constant(1), constant(0), dest)


def cmpxchg(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place = target(lo, node, 0, "int", "refcount")
    expected, new = lo.expression(node.args[1]), lo.expression(node.args[2])
    lo.primitive(node, "cmpxchg")
    same = binary("==", read(lo, place), expected)
    if place.kind == "refcount":
        _never_from_zero(lo, place, same, new)
    found = lo.temp(place.type)
    lo.emit(SetLocal(found, read(lo, place).expr))
    lo.emit(If(same.expr, (SetShared(place.var, place.index, new.expr),)))
    return Value(Local(found), place.type)


def _never_from_zero(lo: Lowerer, place: Place, same: Value, new: Value) -> None:
    """A count that is zero belongs to nobody: it starts again by atomic_set only."""
    was_zero = binary("==", read(lo, place), constant(0))
    raised = binary("and", was_zero, binary(">", new, constant(0)))
    if new.constant != 0:
        fine = logical_not(binary("and", same, raised))
        lo.check(fine, "use-after-free", f"{place.name} raised from zero")


def xchg(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    place, new = target(lo, node, 0, "int"), lo.expression(node.args[1])
    lo.primitive(node, "xchg")
    found = lo.temp(place.type)
    lo.emit(SetLocal(found, read(lo, place).expr))
    write(lo, place, new)
    return Value(Local(found), place.type)


def bit_op(value: int, returns: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        place = target(lo, node, 0, "int")
        lo.primitive(node, text_of(node.func))
        result = keep(lo, read(lo, place), dest) if returns else NOTHING
        write(lo, place, constant(value))
        return result

    return lower
