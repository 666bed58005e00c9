"""Two explorers and the third reading find the same in random pairs of what there is to play."""

from __future__ import annotations

from itertools import combinations_with_replacement
from random import Random

import pytest

from pinlab.lab import asked, build, design
from pinlab.lab.design import Design
from pinlab.lab.explore import native, reference
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import Actor, System
from pinlab.lab.scenarios.operation import Played, name_of, refusal
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.worlds import LINUX_7_2
from tests.lab.reading.compare import MOST, compiled, differences, initial_values
from tests.lab.reading.schedules import explore as explore_reading
from tests.lab.reading.source import Reading
from tests.lab.reading.state import Layout

MAINLINE = design.load("mainline")
PAIRS = 24


def pairs(most_tasks: int) -> list[Scenario]:
    """All pairs of operations from all states, in an order that is always the same."""
    ones = [
        Played(it, place)
        for it in LINUX_7_2.operations.values()
        for place in (it.places or {"": ()})
        if len(it.tasks) <= most_tasks
    ]
    names = [
        name_of(chosen, at)
        for at in map(LINUX_7_2.state, LINUX_7_2.states)
        for chosen in combinations_with_replacement(ones, 2)
        if not refusal(chosen, at)
    ]
    Random(7).shuffle(names)
    return [asked.named(MAINLINE, name) for name in names[: 4 * PAIRS]]


def systems(it: Design, scenarios: list[Scenario], most: int) -> list[tuple[Scenario, System]]:
    """Those of not too many states."""
    found = []
    for scenario in scenarios:
        system = build.system(it, scenario, {})
        if native.explore(system).states <= most:
            found.append((scenario, system))
    return found[:PAIRS]


def test_both_explorers_find_the_same() -> None:
    small = systems(MAINLINE, pairs(4), 600)
    assert len(small) == PAIRS
    for scenario, system in small:
        fast, plain = native.explore(system), reference.explore(system)
        assert (fast.states, fast.transitions, fast.depth) == (
            plain.states,
            plain.transitions,
            plain.depth,
        ), scenario.name
        assert fast.hits == plain.hits, scenario.name
        assert fast.failures == plain.failures, scenario.name
        assert fast.covered == plain.covered, scenario.name


def unjudged(scenario: Scenario) -> System:
    """The system of a scenario that no objective watches."""
    functions = {task.kernel_function(): None for task in scenario.tasks}
    program = compile_program(functions, {})
    names = {var.name for var in program.vars}
    return System(
        program,
        tuple(Actor(it.name, it.kernel_function().__name__, it.args) for it in scenario.tasks),
        {name: values for name, values in scenario.initial.items() if name in names},
    )


@pytest.mark.slow
def test_the_third_reading_finds_the_same() -> None:
    declared = {name: it for module in LINUX_7_2.modules for name, it in vars(module).items()}
    layout = Layout(declared)
    small = systems(MAINLINE, pairs(1), 400)
    assert len(small) == PAIRS
    for scenario, _ in small:
        system = unjudged(scenario)
        values = initial_values(layout, system.initial)
        tasks = tuple((task.kernel_function(), *task.args) for task in scenario.tasks)
        found = explore_reading(Reading(layout), tasks, values, None, MOST * 4)
        places = [place.at for var in system.program.vars for place in layout.places[var.name]]
        found.finals = {
            (tuple(end[at] for at in places), done, events) for end, done, events in found.finals
        }
        assert differences(compiled(system), found) == {}, scenario.name
