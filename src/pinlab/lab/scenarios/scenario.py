"""A scenario: who runs beside whom, from which state, and what that must show to count."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from pinlab import objectives
from pinlab.lab.language.kernel import KernelFunction, model_function
from pinlab.lab.layout import PER_CPU
from pinlab.nearest import nearest
from pinlab.objectives.events import Event


def _require(it: object, **kinds: Any) -> None:
    """Raise TypeError unless the fields of `it` are of these kinds."""
    for name, kind in kinds.items():
        value = getattr(it, name)
        if not isinstance(value, kind):
            wanted = getattr(kind, "__name__", str(kind)).lower()
            raise TypeError(f"{name}: {value!r} is no {wanted}: write one")


@dataclass(frozen=True, slots=True)
class Task:
    """One actor. `irq_of` names the task on whose CPU it is an interrupt; a daemon need not end."""

    name: str
    function: Callable[..., Any]
    args: tuple[int, ...] = ()
    irq_of: str | None = None
    daemon: bool = False

    def __post_init__(self) -> None:
        _require(self, name=str, args=tuple, irq_of=str | None, daemon=bool)
        if not all(isinstance(arg, int) for arg in self.args):
            raise TypeError(f"{self.name}: args: structures and values are passed by number")

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
    the static key of this name is on in all other scenarios if no failure is met in this one.
    `misuse` is what a task does here that the contract of what it calls forbids: no design is to
    blame for what comes of it, so it is played only if it is asked for by name."""

    name: str
    summary: str
    tasks: tuple[Task, ...]
    initial: Mapping[str, tuple[int, ...]]
    judges: tuple[str, ...]
    bounds: str
    reach: tuple[Reach, ...] = ()
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probes: str = ""
    misuse: str = ""
    fault: str = ""
    """Why it cannot be used: its file cannot be loaded."""

    def __post_init__(self) -> None:
        _require(self, name=str, summary=str, tasks=tuple, initial=Mapping, judges=tuple)
        _require(self, bounds=str, reach=tuple, unless=Mapping, probes=str, misuse=str)
        for name, values in self.initial.items():
            if not isinstance(values, tuple) or not all(isinstance(each, int) for each in values):
                raise TypeError(f"initial: {name}: write a tuple of integers, one per element")
        if not self.tasks and not self.fault:
            raise ValueError("tasks: there is none, so nothing can happen")
        for name, excluded in self.unless.items():
            if not isinstance(excluded, tuple):
                raise TypeError(f"unless: {name}: write a tuple of names of designs")
        tasks = [task.name for task in self.tasks]
        if twice := [name for name in tasks if tasks.count(name) > 1]:
            raise ValueError(f"two tasks are called {twice[0]}: rename one of them")
        for task in self.tasks:
            task.kernel_function()
            if task.irq_of is not None and task.irq_of not in tasks:
                hint = nearest(task.irq_of, tasks)
                raise ValueError(f"{task.name}: there is no task {task.irq_of!r}: {hint}")
        goals = [goal.name for goal in self.reach]
        for name in self.unless:
            if name not in goals:
                raise ValueError(f"unless: there is no goal {name!r}: {nearest(name, goals)}")

    def fit(self, known: Collection[str]) -> None:
        """Raises ValueError if the scenario judges what is none of the objectives `known`, or one
        of its goals is called as one of them."""
        for name in self.judges:
            if name not in known:
                raise ValueError(f"judges: there is no objective {name!r}: {nearest(name, known)}")
        if taken := sorted({goal.name for goal in self.reach} & set(known)):
            raise ValueError(f"reach: {taken[0]} is an objective: give the goal another name")


@cache
def load() -> Mapping[str, Scenario]:
    """Every scenario of the package by name: each module here may define `SCENARIO`, or several
    `SCENARIOS`.

    A module that cannot be loaded becomes a scenario with a `fault`, so that it breaks nothing
    but its own use.
    """
    package = importlib.import_module(__package__ or "")
    found: dict[str, Scenario] = {}
    for info in pkgutil.iter_modules(package.__path__):
        for scenario in _load(info.name):
            fault = clash(scenario, found.values())
            found[scenario.name] = _broken(scenario, fault) if fault else scenario
    return MappingProxyType({name: found[name] for name in sorted(found)})


def unordered(name: str) -> str:
    """The name of the scenario that `permuted` has put in another order."""
    return name.partition(":")[0]


def permuted(scenario: Scenario, order: tuple[int, ...]) -> Scenario:
    """The scenario with its tasks in another order, and so on other CPUs: what a CPU has at the
    start goes with the task that runs on it."""
    tasks = tuple(scenario.tasks[number] for number in order)
    initial = {
        name: (*(values[number] for number in order), *values[len(order) :])
        if name in PER_CPU
        else values
        for name, values in scenario.initial.items()
    }
    name = f"{scenario.name}:{','.join(map(str, order))}"
    return replace(scenario, name=name, tasks=tasks, initial=initial)


def clash(scenario: Scenario, others: Iterable[Scenario]) -> str:
    """Why the scenario cannot stand beside others: a name in it stands for something else there.
    Empty if it can."""
    for other in others:
        if scenario.name == other.name:
            return f"two scenarios are called {scenario.name}: rename one of them"
        goals = {goal.name: goal for goal in other.reach}
        for goal in scenario.reach:
            if goals.get(goal.name, goal) != goal:
                return f"another scenario has a different goal {goal.name!r}: rename one of them"
    return ""


def _broken(scenario: Scenario, fault: str) -> Scenario:
    """`scenario`, of which only its name and what it judges are left, and why."""
    return replace(scenario, tasks=(), initial={}, reach=(), unless={}, fault=fault)


def _load(stem: str) -> tuple[Scenario, ...]:
    try:
        module = importlib.import_module(f"{__package__}.{stem}")
        one = getattr(module, "SCENARIO", None)
        several = getattr(module, "SCENARIOS", ())
        scenarios = tuple(each for each in (one, *several) if isinstance(each, Scenario))
        for scenario in scenarios:
            scenario.fit(objectives.load())
    except Exception as error:
        name, judges = stem.replace("_", "-"), tuple(objectives.load())
        fault = f"{stem}.py cannot be loaded: {type(error).__name__}: {error}; correct the file"
        return (Scenario(name, fault, (), {}, judges, "", fault=fault),)
    return scenarios
