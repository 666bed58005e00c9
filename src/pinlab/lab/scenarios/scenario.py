"""A scenario: who runs beside whom, from which state, and what that must show to count."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from pinlab.lab.language.kernel import KernelFunction, model_function
from pinlab.objectives.events import Event


@dataclass(frozen=True, slots=True)
class Task:
    """One actor. `irq_of` names the task on whose CPU it is an interrupt; a daemon need not end."""

    name: str
    function: Callable[..., Any]
    args: tuple[int, ...] = ()
    irq_of: str | None = None
    daemon: bool = False

    def kernel_function(self) -> KernelFunction:
        """`function`, as what @kernel made of it."""
        return model_function(self.function)


@dataclass(frozen=True, slots=True)
class ReachFunction:
    """A goal: this kernel function is executed. `function` may be a design's hook by name."""

    name: str
    function: str


@dataclass(frozen=True, slots=True)
class ReachEvents:
    """A goal: `events` happen to one page in this order, none of `broken_by` between them."""

    name: str
    events: tuple[Event, ...]
    broken_by: tuple[Event, ...] = ()


Reach = ReachFunction | ReachEvents


@dataclass(frozen=True, slots=True)
class Scenario:
    """`initial` is by variable name, one value per element, as `System.initial` has it; what a
    design's program does not declare is left out. `judges` are names of objectives; `reach` must
    all be reached, or the verdict is not *holds*; `unless` maps a goal's name to the designs that
    exclude it by what they are. `probes` makes the scenario a question about the design instead:
    the static key of this name is on in all other scenarios if no failure is met in this one."""

    name: str
    summary: str
    tasks: tuple[Task, ...]
    initial: Mapping[str, tuple[int, ...]]
    judges: tuple[str, ...]
    bounds: str
    reach: tuple[Reach, ...] = ()
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probes: str = ""


@cache
def load() -> Mapping[str, Scenario]:
    """Every scenario of the package by name: each module here may define `SCENARIO`."""
    package = importlib.import_module(__package__ or "")
    found: dict[str, Scenario] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{__package__}.{info.name}")
        scenario = getattr(module, "SCENARIO", None)
        if isinstance(scenario, Scenario):
            found[scenario.name] = scenario
    return MappingProxyType(found)
