"""Shared state: from the declarations a model's functions use to numbered variables."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from pinlab.lab.language.kernel import Cell, Cells, Pointer, Struct
from pinlab.lab.language.program import Var

MAX_ACTORS = 7
"""Lock cells name their holder by number, and have room for this many."""

IRQS_OFF = "irqs_off"


@dataclass
class Declarations:
    """The shared variables met so far, by the identity of their declaration."""

    vars: list[Var] = field(default_factory=list)
    by_name: dict[str, int] = field(default_factory=dict)
    globals: dict[int, str] = field(default_factory=dict)
    keep: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(IRQS_OFF, 0, 3, MAX_ACTORS)

    def add(self, name: str, lo: int, hi: int, length: int, kind: str = "int") -> int:
        """The number of variable `name`, declared now if it is new."""
        if name not in self.by_name:
            self.by_name[name] = len(self.vars)
            self.vars.append(Var(name, lo, hi, length, kind))
        return self.by_name[name]

    def global_name(self, declaration: object, name: str) -> str:
        """The one name of a global: the first it is met by."""
        if id(declaration) not in self.globals:
            if name in self.globals.values():
                name = f"{name}'"
            self.globals[id(declaration)] = name
            self.keep.append(declaration)
        return self.globals[id(declaration)]


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


def field_shape(declaration: object, structs: dict[str, type[Struct]]) -> tuple[int, int, int, str]:
    """(lo, hi, elements per instance, kind) of a declared field or global."""
    match declaration:
        case Cell():
            return declaration.lo, declaration.hi, 1, declaration.kind
        case Cells():
            return declaration.lo, declaration.hi, declaration.length, "int"
        case Pointer():
            return 0, structs[declaration.to].count, 1, "int"
        case _:
            raise TypeError(f"{declaration!r} is no shared state")
