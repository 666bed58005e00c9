"""The compiler and both explorers on one side, the third reading on the other."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from pprint import pformat
from types import ModuleType
from typing import Any

from pinlab.lab.explore import native, reference
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import Actor, System
from pinlab.lab.language.source import source_of
from tests.lab.reading.schedules import Outcome, Task, TooMany
from tests.lab.reading.schedules import explore as explore_reading
from tests.lab.reading.source import Reading
from tests.lab.reading.state import Layout

MODULE = "random_source"
MOST = 3_000
"""States of one source, in each account of it."""

Initial = Mapping[str, tuple[int, ...]]


def module_of_text(text: str) -> ModuleType:
    """The module with this text, without a file; the one before it is forgotten."""
    file = f"<{MODULE}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    source_of.cache_clear()
    module = sys.modules[MODULE] = ModuleType(MODULE)
    exec(compile(text, file, "exec"), module.__dict__)
    return module


def system_of(tasks: tuple[Task, ...], initial: Initial) -> System:
    """What the compiler makes of the tasks."""
    program = compile_program(dict.fromkeys(task[0] for task in tasks))
    actors = tuple(Actor(f"actor{i}", task[0].__name__, task[1:]) for i, task in enumerate(tasks))
    names = {var.name for var in program.vars}
    return System(program, actors, {k: v for k, v in initial.items() if k in names})


def compiled(system: System) -> Outcome:
    """What the interpreter finds: as `schedules.explore` has it. Raises TooMany."""
    run = Interpreter(system)
    found, alone = Outcome(), len(system.actors) == 1
    first = run.initial(), ()
    todo: list[tuple[tuple[int, ...], tuple[tuple[str, int], ...]]] = [first]
    seen = {first}
    found.events.add(())
    while todo:
        state, history = todo.pop()
        moves = list(run.moves(state))
        if not moves:
            done = run.finished(state)
            found.finals.add((state[: run.places.vars[-1]], done, history))
            found.failures |= set() if done else {"deadlock"}
        for move in moves:
            step = run.step(state, move)
            if step.failure is not None:
                found.failures.add(step.failure.kind)
            if step.state is None:
                continue
            found.events.add(step.events)
            after = step.state, history + step.events if alone else ()
            if after not in seen:
                seen.add(after)
                todo.append(after)
        if len(seen) > MOST:
            raise TooMany
    found.states = len(seen)
    return found


def read(space: Mapping[str, Any], tasks: tuple[Task, ...], system: System) -> Outcome:
    """What Python finds, with the variables in the program's order. Raises TooMany."""
    reading = Reading(space)
    layout = reading.machine.layout
    found = explore_reading(reading, tasks, initial_values(layout, system.initial), MOST * 4)
    places = [
        first.at + i
        for first, length in (layout.variables[var.name] for var in system.program.vars)
        for i in range(length)
    ]
    found.finals = {
        (tuple(values[at] for at in places), done, events) for values, done, events in found.finals
    }
    return found


def initial_values(layout: Layout, given: Initial) -> list[int]:
    values: list[int] = []
    for name, (first, length) in layout.variables.items():
        values += given.get(name, (0 if first.lo <= 0 <= first.hi else first.lo,) * length)
    return values


def differences(ours: Outcome, theirs: Outcome) -> dict[str, tuple[Any, Any]]:
    """What only the compiler's side has, and what only the reading has."""
    found = {}
    for name in ("finals", "failures", "events"):
        one, two = getattr(ours, name), getattr(theirs, name)
        if one != two:
            found[name] = sorted(one - two)[:5], sorted(two - one)[:5]
    return found


def check(
    text: str, calls: tuple[tuple[str, tuple[int, ...]], ...], initial: Initial, label: str = ""
) -> Outcome:
    """Compare. Raises AssertionError with all that is needed to see the difference; LanguageError
    for a source that the compiler refuses; TooMany."""
    module = module_of_text(text)
    tasks = tuple((getattr(module, name), *arguments) for name, arguments in calls)
    system = system_of(tasks, initial)
    ours = compiled(system)
    theirs = read(vars(module), tasks, system)
    different = differences(ours, theirs)
    if different:
        names = [f"{v.name}[{v.length}]" for v in system.program.vars]
        told = "\n".join(
            f"{what}: only compiled {pformat(one)}\n{what}: only read {pformat(two)}"
            for what, (one, two) in different.items()
        )
        raise AssertionError(
            f"{label}\n{text}\ncalls {calls}\ninitial {dict(system.initial)}\n"
            f"variables {names}\n{told}"
        )
    return theirs


def check_explorers(text: str, calls: Any, initial: Initial) -> None:
    """The native explorer finds what the reference explorer finds."""
    module = module_of_text(text)
    tasks = tuple((getattr(module, name), *arguments) for name, arguments in calls)
    system = system_of(tasks, initial)
    one, two = native.explore(system), reference.explore(system)
    figures = [(it.states, it.transitions, it.hits) for it in (one, two)]
    assert figures[0] == figures[1], f"{text}\n{calls}\n{initial}"
