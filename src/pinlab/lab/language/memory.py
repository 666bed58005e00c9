"""Shared memory in expressions: fields of structures, global cells and arrays, by name."""

from __future__ import annotations

import ast
import sys
from typing import Any

from pinlab.lab.language.declarations import Clash, field_shape, pointed_by
from pinlab.lab.language.kernel import Cell, Cells, Pointer, Struct
from pinlab.lab.language.lowerer import Lowerer
from pinlab.lab.language.program import Const, Shared
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import Place, Type, Value, binary, constant


class Memory(Lowerer):
    """Finds the shared integer that an expression names, and declares it."""

    def place(self, node: ast.expr) -> Place:
        """The shared integer that `node` names: page.field, page.pte[i], tlb[cpu], lock."""
        match node:
            case ast.Attribute(value, attribute) if self.python(node) is ...:
                return self.member(node, value, attribute, None)
            case ast.Subscript(ast.Attribute(value, attribute) as array, index) if (
                self.python(array) is ...
            ):
                return self.member(node, value, attribute, index)
            case ast.Subscript(array, index):
                declaration = self.python(array)
                if isinstance(declaration, Cells):
                    return self.global_element(node, declaration, array, index)
            case ast.Name() | ast.Attribute():
                declaration = self.python(node)
                if isinstance(declaration, Cell | Pointer):
                    return self.global_cell(node, declaration)
            case _:
                pass
        self.source.refuse(
            node, f"{ast.unparse(node)} is not shared memory: a field or a global is needed here"
        )

    def member(
        self, node: ast.expr, value: ast.expr, attribute: str, index: ast.expr | None
    ) -> Place:
        base = self.expression(value)
        struct = base.type.struct
        if struct is None:
            self.source.refuse(node, f"{ast.unparse(value)} is not a pointer: annotate or cast it")
        declaration = getattr(struct, attribute, None)
        if not isinstance(declaration, Cell | Cells | Pointer):
            self.source.refuse(node, f"{struct.__name__} has no field {attribute}")
        if isinstance(declaration, Cells) != (index is not None):
            self.source.refuse(node, f"{ast.unparse(node)}: an array field is used with an index")
        pointed = pointed_by(declaration, self.source.globals, vars(_module(struct)))
        lo, hi, elements, kind = field_shape(declaration, pointed)
        name = f"{struct.__name__}.{attribute}"
        length = elements * struct.count
        var = self.declare(node, name, lo, hi, length, kind, owner=declaration)
        self.inside(base, 1, struct.count, value)
        where = binary("-", base, constant(1))
        if index is not None:
            i = self.expression(index)
            self.inside(i, 0, elements - 1, node)
            where = binary("+", binary("*", where, constant(elements)), i)
        return Place(var, where.expr, Type(lo, hi, pointed), kind, name)

    def global_element(
        self, node: ast.expr, declaration: Cells, array: ast.expr, index: ast.expr
    ) -> Place:
        i = self.expression(index)
        length = declaration.length
        struct = i.type.struct if length < 0 else None
        if length < 0:
            if struct is None:
                self.source.refuse(node, f"{ast.unparse(node)}: index it by the page")
            length = struct.count
            self.inside(i, 1, length, index)
            i = binary("-", i, constant(1))
        else:
            self.inside(i, 0, length - 1, node)
        name = self.unit.declarations.global_name(declaration, last(array))
        if struct is not None:
            if hasattr(struct, name):
                self.source.refuse(node, f"{struct.__name__} has a field {name}: call it otherwise")
            name = f"{struct.__name__}.{name}"
        lo, hi = declaration.lo, declaration.hi
        var = self.declare(node, name, lo, hi, length, owner=declaration)
        return Place(var, i.expr, Type(declaration.lo, declaration.hi), "int", name)

    def global_cell(self, node: ast.expr, declaration: Cell | Pointer[Any]) -> Place:
        pointed = pointed_by(declaration, self.source.globals)
        lo, hi, _, kind = field_shape(declaration, pointed)
        name = self.unit.declarations.global_name(declaration, last(node))
        var = self.declare(node, name, lo, hi, 1, kind, owner=declaration)
        return Place(var, Const(0), Type(lo, hi, pointed), kind, name)

    def declare(
        self,
        node: ast.AST,
        name: str,
        lo: int,
        hi: int,
        length: int,
        kind: str = "int",
        *,
        owner: object,
    ) -> int:
        """The number of a shared variable. Raises LanguageError if two share the name."""
        try:
            return self.unit.declarations.add(name, lo, hi, length, kind, owner=owner)
        except Clash:
            self.source.refuse(node, f"something else is called {name} too: rename one of them")

    def load(self, place: Place) -> Value:
        return Value(Shared(place.var, place.index), place.type)


def last(node: ast.expr) -> str:
    """The last part of a dotted name."""
    return text_of(node).rsplit(".", 1)[-1]


def _module(struct: type[Struct]) -> Any:
    return sys.modules[struct.__module__]
