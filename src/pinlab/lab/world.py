"""A world: one kernel as the lab models it, and all that outside the model knows which one it is.

Language, explorers, verdicts, traces and the sweep are asked about a world; none of them knows its
structures or functions by name but from here. What worlds there are is in worlds.py.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType, ModuleType

from pinlab.errors import UsageError
from pinlab.lab.explore.result import Audit
from pinlab.lab.language.kernel import Cell, Cells, KernelFunction, Pointer, Struct
from pinlab.lab.scenarios.operation import Operation
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.scenarios.state import State
from pinlab.nearest import nearest

Books = Callable[[Mapping[str, Sequence[int]]], Audit]


def _no_state(words: str) -> State:
    raise UsageError(f"this world has no operations, and so no state {words!r}: name a scenario")


def _plain(name: str, value: int) -> str:
    return str(value)


@dataclass(frozen=True, eq=False)
class World:
    """One kernel as a model. `name` is its version, `model` its functions and structures (a package
    of modules, or one module), `judged` the structure whose instances objectives watch.

    `designs` is the package of its designs, `empty` the one that replaces nothing; `scenarios` are
    by name, and called for, as they may be long to load. A probe among them answers a static key of
    this name: `gup_fast_works`, `slow_pin_works`, `irq_unpin_works`; cost is counted along the
    second, and along the first if it says yes.
    """

    name: str
    model: ModuleType
    judged: type[Struct]
    scenarios: Callable[[], Mapping[str, Scenario]]
    designs: ModuleType | None = None
    empty: str = ""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    """What states are said in, with its meaning."""
    states: tuple[str, ...] = ()
    """The states that operations are played from if none is named."""
    state: Callable[[str], State] = _no_state
    """The state that words say. Raises UsageError."""
    books: Books | None = None
    """What judges the states at rest, by the values that a scenario begins with."""
    pinning: frozenset[str] = frozenset()
    """A design that replaces one of these counts pins in a way of its own: it is a detector."""
    together: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What a design must replace with a function, and why that is so."""
    walks: frozenset[str] = frozenset()
    """Variables that only a walk of the page tables loads."""
    show: Callable[[str, int], str] = _plain
    """The value of a variable as a person reads it."""

    @cached_property
    def modules(self) -> tuple[ModuleType, ...]:
        """The modules of the model, by name."""
        if not hasattr(self.model, "__path__"):
            return (self.model,)
        found = pkgutil.iter_modules(self.model.__path__)
        return tuple(importlib.import_module(f"{self.model.__name__}.{it.name}") for it in found)

    @cached_property
    def functions(self) -> Mapping[str, KernelFunction]:
        """Every function of the model. A design may replace any of them; those that designs are
        expected to replace are hooks."""
        found: dict[str, KernelFunction] = {}
        for module in self.modules:
            for name, value in vars(module).items():
                if isinstance(value, KernelFunction) and value.__module__ == module.__name__:
                    assert name not in found, f"{name} is defined twice"
                    found[name] = value
        return MappingProxyType(found)

    def function(self, name: str) -> KernelFunction:
        """One function of the model. Raises UsageError if there is none of this name."""
        if name not in self.functions:
            hint = nearest(name, self.functions)
            raise UsageError(f"the model has no function {name!r}: {hint}")
        return self.functions[name]

    @cached_property
    def variables(self) -> frozenset[str]:
        """Every shared variable. A design's program has those that it uses."""
        return frozenset(name for module in self.modules for name in _declared(module))

    def has(self, module: str) -> bool:
        """Whether a module of this name is of the model, or one of the world's designs."""
        return self.models(module) or (self.designs is not None and _is_in(module, self.designs))

    def models(self, module: str) -> bool:
        """Whether a module of this name is of the model."""
        return _is_in(module, self.model)


def _is_in(module: str, home: ModuleType) -> bool:
    return module == home.__name__ or module.startswith(f"{home.__name__}.")


def _declared(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if isinstance(value, Cell | Cells | Pointer):
            yield name
        elif isinstance(value, type) and issubclass(value, Struct):
            fields = vars(value).items()
            yield from (
                f"{name}.{field}" for field, it in fields if isinstance(it, Cell | Cells | Pointer)
            )
