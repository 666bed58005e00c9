"""What a step does to shared memory: which cells it reads, and which it writes.

It is derived from what the step computes, so that no primitive can say one thing and do another.
How the access is ordered is not in it: that is the primitive's (`primitives.Order`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pinlab.lab.language.program import (
    Binary,
    Check,
    Emit,
    Expr,
    If,
    Local,
    Lookup,
    Node,
    Op,
    Select,
    SetLocal,
    SetShared,
    Shared,
    Unary,
    subexpressions,
)


@dataclass(frozen=True, slots=True)
class Write:
    """A store to element `index` of variable `var`; `success` says whether it is done (None: it
    always is), before the step's first operation."""

    var: int
    index: Expr
    success: Expr | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """The cells that a step reads and writes, each once, in the order in which it comes to them.
    Their indices are expressions of the state before the step."""

    reads: tuple[Shared, ...]
    writes: tuple[Write, ...]


def access(node: Node) -> Access:
    """What `node` does. Raises ValueError for a store below two conditions, as no primitive has."""
    reads: dict[Shared, None] = {}
    writes: list[Write] = []
    known: dict[int, Expr] = {}
    """What locals that the step itself has set stand for."""

    def before(expr: Expr) -> Expr:
        return replaced(expr, lambda it: known.get(it.slot) if isinstance(it, Local) else None)

    def look(expr: Expr) -> None:
        found = (each for each in subexpressions(before(expr)) if isinstance(each, Shared))
        reads.update(dict.fromkeys(found))

    if node.guard is not None:
        look(node.guard)
    for op in node.ops:
        for expr in values(op):
            look(expr)
        match op:
            case SetLocal(slot, value):
                known[slot] = before(value)
            case SetShared(var, index, _):
                writes.append(Write(var, before(index)))
            case If(test, then, other):
                writes += _conditional(before(test), then, other, before)
            case _:
                pass
    return Access(tuple(reads), tuple(writes))


def _conditional(
    test: Expr, then: tuple[Op, ...], other: tuple[Op, ...], before: Callable[[Expr], Expr]
) -> Iterator[Write]:
    for ops, success in ((then, test), (other, Unary("not", test))):
        for op in ops:
            if isinstance(op, If):
                raise ValueError("a condition inside a condition: no primitive has one")
            if isinstance(op, SetShared):
                yield Write(op.var, before(op.index), success)


def values(op: Op) -> tuple[Expr, ...]:
    """The expressions that an operation evaluates, but for those inside a condition."""
    match op:
        case SetLocal(_, value):
            return (value,)
        case SetShared(_, index, value):
            return index, value
        case Check(test, _) | If(test, _, _):
            return (test,)
        case Emit(_, page):
            return (page,)


def replaced(expr: Expr, by: Callable[[Expr], Expr | None]) -> Expr:
    """`expr` with by(part) for each part of it, outermost first, for which that gives something."""
    if (other := by(expr)) is not None:
        return other
    match expr:
        case Shared(var, index):
            return Shared(var, replaced(index, by))
        case Unary(op, operand):
            return Unary(op, replaced(operand, by))
        case Binary(op, left, right):
            return Binary(op, replaced(left, by), replaced(right, by))
        case Select(test, then, other_):
            return Select(replaced(test, by), replaced(then, by), replaced(other_, by))
        case Lookup(table, index):
            return Lookup(table, replaced(index, by))
        case _:
            return expr


def rewritten(op: Op, by: Callable[[Expr], Expr | None]) -> Op:
    """An operation with all its expressions `replaced`."""
    match op:
        case SetLocal(slot, value):
            return SetLocal(slot, replaced(value, by))
        case SetShared(var, index, value):
            return SetShared(var, replaced(index, by), replaced(value, by))
        case Check(test, failure):
            return Check(replaced(test, by), failure)
        case If(test, then, other):
            return If(
                replaced(test, by),
                tuple(rewritten(each, by) for each in then),
                tuple(rewritten(each, by) for each in other),
            )
        case Emit(event, page):
            return Emit(event, replaced(page, by))
