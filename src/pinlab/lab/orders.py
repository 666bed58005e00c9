"""The number of a CPU is its task's place in the scenario, and a design may depend on it.

One that counts pins for each CPU and adds them up goes through the CPUs in order; what it misses
depends on who runs on the lower one. So for a design that asks for the number of its CPU, or of
the running task, a scenario stands for all orders of the tasks that may do so.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import factorial

from pinlab.errors import UsageError
from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.scenarios.scenario import Scenario, permuted

ASKING = frozenset({"smp_processor_id", "current", "irqs_enabled"})
"""The primitives that give or take a number which the order of the tasks decides."""

MOST = 24
"""Orders of one scenario: four tasks that ask."""


def orders(design: Design, scenario: Scenario) -> Iterator[Scenario]:
    """`scenario`, and if the design depends on it every other order of its tasks that may matter.

    Raises UsageError for more than `MOST`.
    """
    yield scenario
    places = _places(design, scenario)
    if factorial(len(places)) > MOST:
        raise UsageError(
            f"scenario {scenario.name}: {len(places)} of its tasks come to functions of "
            f"{design.name} that ask for their CPU, and no more than {MOST} orders are explored"
        )
    seen = {_shape(scenario)}
    for moved in permutations(places):
        order = list(range(len(scenario.tasks)))
        for place, number in zip(places, moved, strict=True):
            order[place] = number
        other = permuted(scenario, tuple(order))
        if _shape(other) not in seen:
            seen.add(_shape(other))
            yield other


def _places(design: Design, scenario: Scenario) -> tuple[int, ...]:
    """Where the tasks stand on whose CPU somebody may ask: they themselves, or their handlers."""
    asking = _asking(design)
    if not asking:
        return ()
    program = build.program(design)
    cpus = {
        task.irq_of or task.name
        for task in scenario.tasks
        if asking & build.called_from(program.calls, [task.kernel_function().__name__])
    }
    return tuple(place for place, task in enumerate(scenario.tasks) if task.name in cpus)


def _asking(design: Design) -> frozenset[str]:
    """The functions of the design, and all that they come to outside the model, that ask."""
    found: set[str] = set()
    seen: set[int] = set()
    todo = list(design.replaced.values())
    while todo:
        function = todo.pop()
        if id(function) in seen or design.world.models(function.__module__):
            continue
        seen.add(id(function))
        names = set(function.function.__code__.co_names)
        space = function.function.__globals__
        called = [space.get(name) for name in names]
        if names & ASKING or any(getattr(it, "__name__", "") in ASKING for it in called):
            found.add(function.__name__)
        todo += [it for it in called if isinstance(it, KernelFunction)]
    return frozenset(found)


def _shape(scenario: Scenario) -> tuple[object, ...]:
    """What two orders have in common if they differ in nothing but names."""
    return tuple((t.function, t.args, t.irq_of, t.daemon) for t in scenario.tasks)
