"""The operators of the language: what each computes, and the interval that its value lies in."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Operator:
    """A binary operator on integers, and the bounds of its value from those of its operands."""

    meaning: Callable[[int, int], int]
    bounds: Callable[[Interval, Interval], Interval]


def _corners(meaning: Callable[[int, int], int]) -> Callable[[Interval, Interval], Interval]:
    """The bounds of an operator that is monotonic in each operand."""

    def bounds(a: Interval, b: Interval) -> Interval:
        found = [meaning(x, y) for x in a for y in b]
        return min(found), max(found)

    return bounds


def _divided(a: Interval, b: Interval) -> Interval:
    if a[0] >= 0 and b[0] > 0:
        return a[0] // b[1], a[1] // b[0]
    most = max(-a[0], a[1])
    return -most, most


def _rest(a: Interval, b: Interval) -> Interval:
    hi = max(b[1] - 1, 0)
    if a[0] >= 0 and b[0] >= 0:
        return 0, min(a[1], hi)
    return min(b[0] + 1, 0), hi


MOST_SHIFTED = 62
"""Beyond this a shift to the left leaves 64 bits whatever is shifted."""


def _shifted_left(a: Interval, b: Interval) -> Interval:
    shifts = (max(b[0], 0), min(max(b[1], 0), MOST_SHIFTED))
    found = [x << y for x in a for y in shifts]
    return min(found), max(found)


def _shifted_right(a: Interval, b: Interval) -> Interval:
    if a[0] >= 0:
        return 0, a[1] >> max(b[0], 0)
    return a[0], max(a[1], 0)


def _and(a: Interval, b: Interval) -> Interval:
    if a[0] >= 0 and b[0] >= 0:
        return 0, min(a[1], b[1])
    if a[0] >= 0:
        return 0, a[1]
    if b[0] >= 0:
        return 0, b[1]
    return _bits(a, b)


def _bits(a: Interval, b: Interval) -> Interval:
    bits = max(max(x, -x - 1).bit_length() for x in (*a, *b))
    return (0 if a[0] >= 0 and b[0] >= 0 else -(1 << bits)), (1 << bits) - 1


def _logical(meaning: Callable[[int, int], bool]) -> Operator:
    return Operator(lambda a, b: int(meaning(a, b)), lambda a, b: (0, 1))


OPERATORS: Mapping[str, Operator] = {
    "+": Operator(operator.add, _corners(operator.add)),
    "-": Operator(operator.sub, _corners(operator.sub)),
    "*": Operator(operator.mul, _corners(operator.mul)),
    "//": Operator(operator.floordiv, _divided),
    "%": Operator(operator.mod, _rest),
    "<<": Operator(operator.lshift, _shifted_left),
    ">>": Operator(operator.rshift, _shifted_right),
    "&": Operator(operator.and_, _and),
    "|": Operator(operator.or_, _bits),
    "^": Operator(operator.xor, _bits),
    "==": _logical(operator.eq),
    "!=": _logical(operator.ne),
    "<": _logical(operator.lt),
    "<=": _logical(operator.le),
    ">": _logical(operator.gt),
    ">=": _logical(operator.ge),
    "and": _logical(lambda a, b: bool(a) and bool(b)),
    "or": _logical(lambda a, b: bool(a) or bool(b)),
}
"""Division rounds down, and the rest has the sign of the divisor, as in Python. "and" and "or"
are those of truth values: where the operands are others, the compiler writes a `Select`."""

DIVISIONS = frozenset({"//", "%"})
SHIFTS = frozenset({"<<", ">>"})
