"""Sets of words, as expressions of the modelling language.

A set has a bit for each word. An integer of a program has 62 bits to be sure of, so a set of more
words has several parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from pinlab.lab.language.program import (
    Binary,
    Const,
    Expr,
    Local,
    Lookup,
    Op,
    Select,
    SetLocal,
    SetShared,
    Shared,
)

BITS = 62
"""Words of a part: what fits beside a sign, twice (see `explore.ranges.LIMIT`)."""

ZERO = Const(0)
ONE = Const(1)


def parts_of(words: int) -> tuple[int, ...]:
    """How many words each part has."""
    return tuple(min(BITS, words - first) for first in range(0, max(1, words), BITS))


def either(tests: Sequence[Expr]) -> Expr:
    """Whether one of the tests is true."""
    return reduce(lambda a, b: Binary("or", a, b), tests) if tests else ZERO


def both(*tests: Expr) -> Expr:
    """Whether all of the tests are true."""
    return reduce(lambda a, b: Binary("and", a, b), tests)


@dataclass(frozen=True, slots=True)
class Mask:
    """A set of words: `parts` are bit sets, `sizes` how many words each has."""

    parts: tuple[Expr, ...]
    sizes: tuple[int, ...]

    def _with(self, other: Mask, make: Callable[[Expr, Expr, int], Expr]) -> Mask:
        each = zip(self.parts, other.parts, self.sizes, strict=True)
        return Mask(tuple(make(a, b, size) for a, b, size in each), self.sizes)

    def __or__(self, other: Mask) -> Mask:
        return self._with(other, lambda a, b, _: _unless_zero(a, b, Binary("|", a, b)))

    def __and__(self, other: Mask) -> Mask:
        return self._with(other, lambda a, b, _: _if_both(a, b, Binary("&", a, b)))

    def __sub__(self, other: Mask) -> Mask:
        """What is in this set and not in the other."""

        def without(a: Expr, b: Expr, size: int) -> Expr:
            if b == ZERO or a == ZERO:
                return a
            return Binary("&", a, Binary("^", Const((1 << size) - 1), b))

        return self._with(other, without)

    def any(self) -> Expr:
        """Whether there is a word in it."""
        return either([Binary("!=", part, ZERO) for part in self.parts if part != ZERO])

    def if_(self, test: Expr, other: Mask) -> Mask:
        """The set itself if `test` is true, otherwise the other."""
        return self._with(other, lambda a, b, _: a if a == b else Select(test, a, b))


def _unless_zero(a: Expr, b: Expr, it: Expr) -> Expr:
    return b if a == ZERO else a if b == ZERO else it


def _if_both(a: Expr, b: Expr, it: Expr) -> Expr:
    return ZERO if ZERO in (a, b) else it


def constant(bits: int, sizes: tuple[int, ...]) -> Mask:
    """The words whose bits are set in `bits`."""
    parts = []
    for size in sizes:
        parts.append(Const(bits & (1 << size) - 1))
        bits >>= size
    return Mask(tuple(parts), sizes)


def looked_up(table: Sequence[int], index: Expr, sizes: tuple[int, ...]) -> Mask:
    """The words table[index]; none where there is no such element, as of a NULL pointer."""
    if isinstance(index, Const):
        it = table[index.value] if 0 <= index.value < len(table) else 0
        return constant(it, sizes)
    there = both(Binary("<=", ZERO, index), Binary("<", index, Const(len(table))))
    parts: list[Expr] = []
    for number in range(len(sizes)):
        here = tuple(_part(constant(bits, sizes).parts[number]) for bits in table)
        parts.append(Select(there, Lookup(here, index), ZERO) if any(here) else ZERO)
    return Mask(tuple(parts), sizes)


def _part(expr: Expr) -> int:
    assert isinstance(expr, Const)
    return expr.value


@dataclass(frozen=True, slots=True)
class Bank:
    """Sets of words in shared variables: one for each element, a variable a part."""

    vars: tuple[int, ...]
    sizes: tuple[int, ...]

    def at(self, index: Expr) -> Mask:
        """One of the sets."""
        return Mask(tuple(Shared(var, index) for var in self.vars), self.sizes)

    def put(self, index: Expr, value: Mask) -> list[Op]:
        """Set one."""
        return [
            SetShared(var, index, part) for var, part in zip(self.vars, value.parts, strict=True)
        ]

    def keep(self, index: Expr, value: Mask) -> list[Op]:
        """Leave no more than `value` in one."""
        return self.put(index, self.at(index) & value)

    def drop(self, index: Expr, value: Mask) -> list[Op]:
        """Take `value` out of one."""
        return self.put(index, self.at(index) - value)

    def add(self, index: Expr, value: Mask) -> list[Op]:
        """Put `value` into one."""
        return self.put(index, self.at(index) | value)


@dataclass(frozen=True, slots=True)
class Register:
    """A set of words in slots of the frame: what a step works with, and forgets."""

    slots: tuple[int, ...]
    sizes: tuple[int, ...]

    def get(self) -> Mask:
        """The set."""
        return Mask(tuple(map(Local, self.slots)), self.sizes)

    def put(self, value: Mask) -> list[Op]:
        """Set it."""
        return [SetLocal(slot, it) for slot, it in zip(self.slots, value.parts, strict=True)]
