"""Run tasks of the model, one after the other or all interleavings, and look at what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinlab.lab import build, design
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.native import explore
from pinlab.lab.explore.result import Exploration, Move
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import HALTED, Actor, Program, System
from pinlab.lab.linux.types import Page
from pinlab.lab.scenarios.scenario import Task
from pinlab.lab.scenarios.state import Initial


@dataclass(frozen=True)
class World:
    """What is left when nobody can go on: shared variables by name, and the events on the way."""

    values: Mapping[str, tuple[int, ...]]
    events: tuple[tuple[str, int], ...]

    def page(self, field: str, number: int = 1) -> int:
        """One field of a page."""
        return self.values[f"Page.{field}"][number - 1]

    def names(self, page: int = 1) -> list[str]:
        """The events of one page, in order."""
        return [event for event, number in self.events if number == page]


def system(initial: Initial, *tasks: Task, by: str = "untracked") -> System:
    """The tasks, played by a design."""
    number = {task.name: i for i, task in enumerate(tasks)}
    functions = dict.fromkeys(task.kernel_function() for task in tasks)
    program: Program = compile_program(
        functions, design.load(by).replaced, build.automata(design.load(by)), Page.count
    )
    known = {var.name for var in program.vars}
    actors = tuple(
        Actor(
            task.name,
            task.kernel_function().__name__,
            task.args,
            None if task.irq_of is None else number[task.irq_of],
            task.daemon,
        )
        for task in tasks
    )
    watch = tuple(automaton.name for automaton in program.automata)
    return System(program, actors, {k: v for k, v in initial.items() if k in known}, watch)


def run(initial: Initial, *tasks: Task, by: str = "untracked") -> World:
    """Always the first task that can go on: a task runs until it waits for a later one."""
    it = system(initial, *tasks, by=by)
    machine = Interpreter(it)
    state = machine.initial()
    events: list[tuple[str, int]] = []
    while moves := list(machine.moves(state)):
        step = machine.step(state, Move(moves[0].actor))
        assert step.failure is None, step.failure
        assert step.state is not None
        events += step.events
        state = step.state
    for i, actor in enumerate(it.actors):
        assert actor.daemon or machine.pc(state, i) == HALTED, f"{actor.name} has not finished"
    values: dict[str, tuple[int, ...]] = dict(initial)
    at = 0
    for var in it.program.vars:
        values[var.name] = state[at : at + var.length]
        at += var.length
    return World(values, tuple(events))


def every_order(initial: Initial, *tasks: Task, by: str = "untracked") -> Exploration:
    """All interleavings."""
    return explore(system(initial, *tasks, by=by))
