"""What an expression of the language stands for while it is compiled: a bounded value."""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.lab.language.kernel import INT, Range, Struct
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


COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


def _fold(op: str, a: int, b: int) -> int:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//":
            return a // b
        case "%":
            return a % b
        case "<<":
            return a << b
        case ">>":
            return a >> b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "==":
            return int(a == b)
        case "!=":
            return int(a != b)
        case "<":
            return int(a < b)
        case "<=":
            return int(a <= b)
        case ">":
            return int(a > b)
        case ">=":
            return int(a >= b)
        case "and":
            return int(bool(a) and bool(b))
        case _:
            return int(bool(a) or bool(b))


def _bounds(op: str, a: Type, b: Type) -> Type:
    if op in COMPARISONS or op in ("and", "or"):
        return BOOL
    if op in ("+", "-", "*"):
        corners = [_fold(op, x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return Type(min(corners), max(corners))
    if op in ("//", "%", "<<", ">>", "&", "|", "^") and a.lo >= 0 and b.lo >= 0:
        match op:
            case "//":
                return Type(0, a.hi)
            case "%":
                return Type(0, min(a.hi, max(b.hi - 1, 0)))
            case "<<":
                return Type(0, a.hi << min(b.hi, 16))
            case ">>":
                return Type(0, a.hi >> b.lo)
            case "&":
                return Type(0, min(a.hi, b.hi))
            case _:
                return Type(0, (1 << max(a.hi.bit_length(), b.hi.bit_length())) - 1)
    return PLAIN


def binary(op: str, left: Value, right: Value) -> Value:
    """`left op right`, folded if both are constants."""
    a, b = left.constant, right.constant
    if a is not None and b is not None and not (op in ("//", "%") and b == 0):
        return constant(_fold(op, a, b))
    return Value(Binary(op, left.expr, right.expr), _bounds(op, left.type, right.type))


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
