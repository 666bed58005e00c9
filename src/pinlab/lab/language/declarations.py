"""Shared state: from the declarations a model's functions use to numbered variables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pinlab.lab.language.kernel import Cell, Cells, Pointer, Struct
from pinlab.lab.language.program import MAX_ACTORS, WEAK, Var

IRQS_OFF = "irqs_off"


class Clash(Exception):
    """Two declarations have one name."""


@dataclass
class Declarations:
    """The shared variables met so far, by name; `owners` says by which declaration."""

    vars: list[Var] = field(default_factory=list)
    by_name: dict[str, int] = field(default_factory=dict)
    owners: dict[str, object] = field(default_factory=dict)
    globals: dict[int, str] = field(default_factory=dict)
    static: dict[int, str] = field(default_factory=dict)
    """Where static_branch reads a variable, as file:line."""

    def __post_init__(self) -> None:
        self.add(IRQS_OFF, 0, 3, MAX_ACTORS, owner=self)

    def add(
        self, name: str, lo: int, hi: int, length: int, kind: str = "int", *, owner: object
    ) -> int:
        """The number of variable `name`, declared now if it is new. Raises Clash if another
        declaration than `owner` has the name."""
        if name not in self.by_name:
            self.by_name[name] = len(self.vars)
            word, order = "", WEAK
            if isinstance(owner, Cell | Cells):
                order = owner.order
                word = f"{name.rpartition('.')[0]}.{owner.word}" if owner.word else ""
            self.vars.append(Var(name, lo, hi, length, kind, word, order))
            self.owners[name] = owner
        if self.owners[name] is not owner:
            raise Clash(name)
        return self.by_name[name]

    def global_name(self, declaration: object, name: str) -> str:
        """The one name of a global: the first it is met by. (`owners` keeps the declaration, so
        that no other object gets its id.)"""
        return self.globals.setdefault(id(declaration), name)


def structs_of(namespace: Any) -> dict[str, type[Struct]]:
    """Every structure visible in a module's namespace, and those defined beside them."""
    found: dict[str, type[Struct]] = {}
    for value in list(namespace.values()):
        if isinstance(value, type) and issubclass(value, Struct) and value is not Struct:
            found[value.__name__] = value
            for other in vars(sys.modules[value.__module__]).values():
                if isinstance(other, type) and issubclass(other, Struct) and other is not Struct:
                    found.setdefault(other.__name__, other)
    return found


def pointed_by(declaration: object, *namespaces: Mapping[str, Any]) -> type[Struct] | None:
    """The structure that a declared pointer points to; None if it is no pointer."""
    if not isinstance(declaration, Pointer):
        return None
    found: dict[str, type[Struct]] = {}
    for namespace in namespaces:
        found |= structs_of(namespace)
    return found[declaration.to]


def field_shape(declaration: object, pointed: type[Struct] | None) -> tuple[int, int, int, str]:
    """(lo, hi, elements per instance, kind) of a declared field or global."""
    match declaration:
        case Cell():
            return declaration.lo, declaration.hi, 1, declaration.kind
        case Cells():
            return declaration.lo, declaration.hi, declaration.length, "int"
        case Pointer() if pointed is not None:
            return 0, pointed.count, 1, "int"
        case _:
            raise TypeError(f"{declaration!r} is not shared state")
