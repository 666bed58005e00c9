"""What a primitive may ask of the function that is being compiled.

Primitives say how one call becomes operations; for their arguments they come back here.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn

from pinlab.lab.language.builder import Builder
from pinlab.lab.language.program import Check
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import Place, Type, Value, binary, constant, select


class Lowerer(Builder, ABC):
    """A function being compiled, as primitives know it."""

    @abstractmethod
    def expression(self, node: ast.expr, dest: str | None = None) -> Value:
        """The value of `node`. A primitive's or a call's goes to local `dest` if given."""

    @abstractmethod
    def place(self, node: ast.expr) -> Place:
        """The shared integer that `node` names. Raises LanguageError if it names none."""

    @abstractmethod
    def python(self, node: ast.expr) -> Any:
        """The Python object a name or a dotted name stands for, or `...` if none."""

    def inside(self, value: Value, lo: int, hi: int, what: str | ast.expr) -> None:
        """Check that index `what` is in [lo, hi], unless its bounds say so."""
        if not Type(lo, hi).holds(value.type):
            low = binary("<=", constant(lo), value)
            high = binary("<=", value, constant(hi))
            text = what if isinstance(what, str) else text_of(what)
            message = f"{text}: no such element"
            if lo == 1 and value.type.lo == 0 and value.type.hi <= hi:
                message = f"{text}: NULL pointer"
            self.check(binary("and", low, high), "null", message)

    def wait(self, node: ast.Call, name: str, condition: Callable[[], Value]) -> None:
        """An atomic await of `condition`. What is amiss in it ends the wait, and is a failure."""
        self.awaiting, self.awaited, self.asked = True, [], constant(1)
        value = condition()
        self.awaiting = False
        for fine, _ in reversed(self.awaited):
            value = select(fine, value, constant(1))
        block = self.primitive(node, name)
        if value.constant is None or not value.constant:
            block.guard = value.expr
        for fine, failure in self.awaited:
            self.emit(Check(fine.expr, failure))

    def now(self, condition: Callable[[], Value]) -> Value:
        """A condition as it is where the step before this comes to: looking at it is no step. What
        is amiss in it is a failure."""
        self.awaiting, self.awaited, self.asked = True, [], constant(1)
        value = condition()
        self.awaiting = False
        for fine, failure in self.awaited:
            self.emit(Check(fine.expr, failure))
        return value

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        """Raise LanguageError at `node`."""
        self.source.refuse(node, message)
