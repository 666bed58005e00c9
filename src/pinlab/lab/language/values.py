"""What an expression of the language stands for while it is compiled: a bounded value."""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.lab.language.kernel import INT, Range, Struct
from pinlab.lab.language.operators import DIVISIONS, OPERATORS, SHIFTS
from pinlab.lab.language.program import Binary, Const, Expr, Select, Unary


@dataclass(frozen=True)
class Type:
    """The bounds of an integer; `struct` if it is a pointer to that structure."""

    lo: int
    hi: int
    struct: type[Struct] | None = None

    def union(self, other: Type) -> Type:
        """The smallest type that holds both."""
        struct = self.struct if self.struct is not None else other.struct
        return Type(min(self.lo, other.lo), max(self.hi, other.hi), struct)

    def holds(self, other: Type) -> bool:
        """Whether every value of `other` is one of this type."""
        return self.lo <= other.lo and other.hi <= self.hi


BOOL = Type(0, 1)
PLAIN = Type(INT.lo, INT.hi)


@dataclass(frozen=True)
class Value:
    """An expression and the bounds of its value."""

    expr: Expr
    type: Type

    @property
    def constant(self) -> int | None:
        """Its value, if known at compile time."""
        return self.expr.value if isinstance(self.expr, Const) else None


@dataclass(frozen=True)
class Place:
    """A shared integer: element `index` of variable `var`; `kind` as in `kernel.Cell`."""

    var: int
    index: Expr
    type: Type
    kind: str
    name: str


def constant(number: int, struct: type[Struct] | None = None) -> Value:
    """A value known at compile time."""
    return Value(Const(number), Type(number, number, struct))


NOTHING = constant(0)
"""What a call without a result gives: never to be used as a value."""


def pointer_to(struct: type[Struct]) -> Type:
    """The type of a pointer that may be NULL."""
    return Type(0, struct.count, struct)


def type_of_hint(hint: object) -> Type | None:
    """The type an annotation stands for, or None if the language has no such type."""
    if hint is bool:
        return BOOL
    if hint is int:
        return PLAIN
    if isinstance(hint, type) and issubclass(hint, Struct):
        return pointer_to(hint)
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Range):
            return Type(extra.lo, extra.hi)
    return None


def binary(op: str, left: Value, right: Value) -> Value:
    """`left op right`, folded if both are constants that it is defined for."""
    operator = OPERATORS[op]
    a, b = left.constant, right.constant
    if a is not None and b is not None and defined(op, b):
        return constant(operator.meaning(a, b))
    lo, hi = operator.bounds((left.type.lo, left.type.hi), (right.type.lo, right.type.hi))
    return Value(Binary(op, left.expr, right.expr), Type(lo, hi))


def defined(op: str, right: int) -> bool:
    """Whether `op` has a value for this right operand."""
    return right != 0 if op in DIVISIONS else right >= 0 if op in SHIFTS else True


def negate(value: Value) -> Value:
    """Arithmetic minus."""
    if value.constant is not None:
        return constant(-value.constant)
    return Value(Unary("-", value.expr), Type(-value.type.hi, -value.type.lo))


def logical_not(value: Value) -> Value:
    """`not value`."""
    if value.constant is not None:
        return constant(int(not value.constant))
    return Value(Unary("not", value.expr), BOOL)


def select(test: Value, then: Value, other: Value) -> Value:
    """`then if test else other`."""
    if test.constant is not None:
        return then if test.constant else other
    return Value(Select(test.expr, then.expr, other.expr), then.type.union(other.type))
