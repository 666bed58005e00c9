"""What the model of Linux declares: its functions and its shared variables, by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType, ModuleType

import pinlab.lab.linux
from pinlab.errors import UsageError
from pinlab.lab.language.kernel import Cell, Cells, KernelFunction, Pointer, Struct
from pinlab.nearest import nearest

PACKAGE = pinlab.lab.linux.__name__


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules of the model, by name."""
    found = pkgutil.iter_modules(pinlab.lab.linux.__path__)
    return tuple(importlib.import_module(f"{PACKAGE}.{info.name}") for info in found)


@cache
def functions() -> Mapping[str, KernelFunction]:
    """Every function of the model. A design may replace any of them; those that designs are
    expected to replace are hooks."""
    found: dict[str, KernelFunction] = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, KernelFunction) and value.__module__ == module.__name__:
                assert name not in found, f"{name} is defined twice"
                found[name] = value
    return MappingProxyType(found)


def function(name: str) -> KernelFunction:
    """One function of the model. Raises UsageError if there is none of this name."""
    if name not in functions():
        raise UsageError(f"the model has no function {name!r}: {nearest(name, functions())}")
    return functions()[name]


@cache
def variables() -> frozenset[str]:
    """Every shared variable. A design's program has those that it uses."""
    return frozenset(name for module in modules() for name in _declared(module))


def _declared(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if isinstance(value, Cell | Cells | Pointer):
            yield name
        elif isinstance(value, type) and issubclass(value, Struct):
            fields = vars(value).items()
            yield from (
                f"{name}.{field}" for field, it in fields if isinstance(it, Cell | Cells | Pointer)
            )
