"""The interval in which an expression's value must lie.

The native explorer computes in 64 bits where the interpreter computes in unbounded integers.
These intervals prove that the two agree, and which stores need no bounds check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from pinlab.lab.explore.packing import Field, Layout
from pinlab.lab.language.program import (
    Binary,
    Chosen,
    Const,
    Cpu,
    Expr,
    Local,
    Lookup,
    Select,
    Self,
    Shared,
    Unary,
)

LIMIT = 1 << 62
"""Intervals stay strictly inside [-LIMIT, LIMIT], so that no sum of two can wrap."""

ACTORS = 1 << 16
"""More actors than any system has: the bound of `Self` and `Cpu`."""

Interval = tuple[int, int]

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "and", "or"})


class TooWide(ValueError):
    """An expression may leave 63 bits: only the interpreter can explore the program."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Intervals of the expressions of nodes that have `choices` alternatives."""

    place: Layout
    choices: int

    def of(self, expr: Expr) -> Interval:
        """The interval of `expr`. Raises TooWide."""
        match expr:
            case Const(value):
                found = (value, value)
            case Local(slot):
                found = _storable(self.place.slots[slot])
            case Shared(var, _):
                found = _storable(self.place.vars[var])
            case Self() | Cpu():
                found = (0, ACTORS)
            case Chosen():
                found = (0, self.choices - 1)
            case Unary("-", operand):
                lo, hi = self.of(operand)
                found = (-hi, -lo)
            case Unary():
                found = (0, 1)
            case Binary(op, left, right):
                found = (0, 1) if op in COMPARISONS else _binary(op, self.of(left), self.of(right))
            case Select(_, then, other):
                found = _union(self.of(then), self.of(other))
            case Lookup(table, _):
                found = (min(table), max(table))
            case _:
                assert_never(expr)
        if not -LIMIT < found[0] <= found[1] < LIMIT:
            raise TooWide(f"{expr} may be as large as {max(-found[0], found[1])}")
        return found


def _storable(field: Field) -> Interval:
    """What the bits of a field can hold: a little more than its bounds allow."""
    return field.lo, field.lo + field.mask


def _union(a: Interval, b: Interval) -> Interval:
    return min(a[0], b[0]), max(a[1], b[1])


def _binary(op: str, a: Interval, b: Interval) -> Interval:
    match op:
        case "+":
            return a[0] + b[0], a[1] + b[1]
        case "-":
            return a[0] - b[1], a[1] - b[0]
        case "*":
            corners = [x * y for x in a for y in b]
            return min(corners), max(corners)
        case "//":
            if a[0] >= 0 and b[0] > 0:
                return a[0] // b[1], a[1] // b[0]
            most = max(-a[0], a[1])
            return -most, most
        case "%":
            return min(b[0] + 1, 0), max(b[1] - 1, 0)
        case "<<":
            if b[1] >= 62:
                raise TooWide(f"a shift to the left by {b[1]}")
            corners = [x << y for x in a for y in (0, max(b[1], 0))]
            return min(corners), max(corners)
        case ">>":
            return min(a[0], 0), max(a[1], 0)
        case "&" if a[0] >= 0 and b[0] >= 0:
            return 0, min(a[1], b[1])
        case "&" if a[0] >= 0:
            return 0, a[1]
        case "&" if b[0] >= 0:
            return 0, b[1]
        case "&" | "|" | "^":
            bits = max(abs(x).bit_length() for x in (*a, *b))
            return (0 if a[0] >= 0 and b[0] >= 0 else -(1 << bits)), (1 << bits) - 1
        case _:
            raise ValueError(f"no such operator: {op}")
