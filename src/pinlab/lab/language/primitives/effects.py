"""What primitives are made of: how a step reads, writes, counts, and checks its context."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from pinlab.lab.language.declarations import IRQS_OFF
from pinlab.lab.language.lowerer import Lowerer
from pinlab.lab.language.primitives.order import Order
from pinlab.lab.language.program import (
    IN_IRQ,
    MAX_ACTORS,
    Check,
    Cpu,
    Expr,
    Failure,
    Local,
    Self,
    SetLocal,
    SetShared,
    Shared,
)
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import (
    Place,
    Type,
    Value,
    binary,
    constant,
)

PREEMPT, LOCKS = 1, 2
"""Built-in slots of every frame: depth of atomic context, locks held, in an interrupt. Until
`link` numbers the slots of a program, built-in slot n is written Local(-n)."""

Lowering = Callable[[Lowerer, ast.Call, str | None], Value]


@dataclass(frozen=True)
class Primitive:
    """`order` is what it orders, `cost` what executing it counts as: see `pinlab.lab.cost`."""

    arguments: int
    lower: Lowering
    order: Order
    cost: str = ""
    awaitable: bool = False


ME = binary("+", Value(Self(), Type(0, MAX_ACTORS - 1)), constant(1))


def read(lo: Lowerer, place: Place) -> Value:
    return Value(Shared(place.var, place.index), place.type)


def keep(lo: Lowerer, value: Value, dest: str | None) -> Value:
    """Keep a value read in this step in a local."""
    slot = lo.local(dest, value.type) if dest else lo.temp(value.type)
    lo.emit(SetLocal(slot, value.expr))
    return Value(Local(slot), value.type)


def target(lo: Lowerer, node: ast.Call, argument: int, *kinds: str) -> Place:
    """What a primitive changes: refused if it is none of `kinds` (see `program.Var`)."""
    place = lo.place(node.args[argument])
    if place.kind not in kinds:
        wanted = " or ".join(kinds)
        lo.refuse(node, f"{text_of(node.func)} takes {wanted}: {place.name} is {place.kind}")
    return place


def write(lo: Lowerer, place: Place, value: Value) -> None:
    lo.emit(SetShared(place.var, place.index, value.expr))


def add_to(lo: Lowerer, place: Place, amount: Value, sign: int) -> Value:
    """Add to a cell, with the checks of a reference count; the new value, still shared."""
    old = read(lo, place)
    if place.kind == "refcount":
        if amount.type.lo < 0:
            positive = binary(">=", amount, constant(0))
            lo.check(positive, "bug", f"{place.name}: a negative amount")
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
    write(lo, place, binary("+" if sign > 0 else "-", old, amount))
    return old


def may_sleep(lo: Lowerer, name: str) -> None:
    """Checked when the call is reached, before it waits. The three conditions are only ever
    changed by this CPU, so looking at them is no step.
    """
    for slot, why in ((PREEMPT, "a spinlock is held or in RCU"), (IN_IRQ, "in an interrupt")):
        is_zero = binary("==", Value(builtin(slot), Type(0, 7)), constant(0))
        lo.emit(Check(is_zero.expr, Failure("atomic-sleep", f"{name} may sleep, but {why}")))
    on = binary("==", irqs_off(lo, Cpu()), constant(0))
    lo.emit(Check(on.expr, Failure("atomic-sleep", f"{name} may sleep, but interrupts are off")))


def builtin(slot: int) -> Expr:
    return Local(-slot)


def count(lo: Lowerer, slot: int, amount: int) -> None:
    value = binary("+", Value(builtin(slot), Type(0, 7)), constant(amount))
    lo.emit(SetLocal(-slot, value.expr))


def irqs_off(lo: Lowerer, cpu: Expr) -> Value:
    return Value(Shared(lo.unit.declarations.by_name[IRQS_OFF], cpu), Type(0, 3))


def switch_irqs(lo: Lowerer, amount: int) -> None:
    var = lo.unit.declarations.by_name[IRQS_OFF]
    if amount < 0:
        lo.check(
            binary(">", irqs_off(lo, Cpu()), constant(0)), "unlock", "interrupts are on already"
        )
    lo.emit(SetShared(var, Cpu(), binary("+", irqs_off(lo, Cpu()), constant(amount)).expr))
