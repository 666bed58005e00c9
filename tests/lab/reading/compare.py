"""The compiler and both explorers on one side, the third reading on the other."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pprint import pformat
from types import ModuleType
from typing import Any

from pinlab.lab.explore import native, reference
from pinlab.lab.explore.interpreter import Interpreter, State
from pinlab.lab.explore.ranges import TooWide
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import Actor, System
from pinlab.lab.language.source import source_of
from tests.lab.reading.random_sources import RandomSource
from tests.lab.reading.schedules import Events, Outcome, TooMany
from tests.lab.reading.schedules import explore as explore_reading
from tests.lab.reading.source import Reading
from tests.lab.reading.state import Layout

MODULE, HOME = "random_source", "random_source_head"
MOST = 3_000
"""States of one source, in each account of it."""

Initial = Mapping[str, tuple[int, ...]]


def run_text(text: str, name: str, known: Mapping[str, Any]) -> ModuleType:
    """A module with this text, without a file; the one of that name before it is forgotten."""
    file = f"<{name}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(known)
    exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    return module


@cache
def declarations(head: str) -> ModuleType:
    return run_text(head, HOME, {})


@cache
def layout_of(head: str) -> Layout:
    return Layout(vars(declarations(head)))


def module_of(source: RandomSource) -> ModuleType:
    """The functions of `source`, over the declarations of its head, which are read once."""
    source_of.cache_clear()
    known = vars(declarations(source.head))
    names = {k: v for k, v in known.items() if not k.startswith("__")}
    return run_text("from __future__ import annotations\n\n" + source.functions, MODULE, names)


def hooks_of(source: RandomSource, module: ModuleType) -> dict[str, Any]:
    return {hook: getattr(module, name) for hook, name in source.hooks.items()}


def system_of(source: RandomSource, module: ModuleType) -> System:
    """What the compiler makes of the tasks."""
    tasks = source.tasks(module)
    program = compile_program(dict.fromkeys(task[0] for task in tasks), hooks_of(source, module))
    actors = [Actor(f"actor{i}", task[0].__name__, task[1:]) for i, task in enumerate(tasks)]
    actors[-1] = replace(actors[-1], irq_of=source.interrupts)
    names = {var.name for var in program.vars}
    initial = {k: v for k, v in source.initial.items() if k in names}
    return System(program, tuple(actors), initial)


def compiled(system: System) -> Outcome:
    """What the interpreter finds: as `schedules.explore` has it. Raises TooMany."""
    run = Interpreter(system)
    found, alone = Outcome(), len(system.actors) == 1
    first: tuple[State, Events] = run.initial(), ()
    todo = [first]
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


def read(source: RandomSource, module: ModuleType, system: System) -> Outcome:
    """What Python finds, with the variables in the program's order. Raises TooMany."""
    layout = layout_of(source.head)
    values = initial_values(layout, system.initial)
    reading = Reading(layout, hooks_of(source, module))
    found = explore_reading(reading, source.tasks(module), values, source.interrupts, MOST * 4)
    places = [place.at for var in system.program.vars for place in layout.places[var.name]]
    found.finals = {
        (tuple(values[at] for at in places), done, events) for values, done, events in found.finals
    }
    return found


def initial_values(layout: Layout, given: Initial) -> list[int]:
    values: list[int] = []
    for name, places in layout.places.items():
        values += given.get(name, [0 if it.lo <= 0 <= it.hi else it.lo for it in places])
    return values


def differences(ours: Outcome, theirs: Outcome) -> dict[str, tuple[Any, Any]]:
    """What only the compiler's side has, and what only the reading has."""
    found = {}
    for name in ("finals", "failures", "events"):
        one, two = getattr(ours, name), getattr(theirs, name)
        if one != two:
            found[name] = sorted(one - two)[:5], sorted(two - one)[:5]
    return found


def check(source: RandomSource, label: str = "") -> Outcome:
    """Compare. Raises AssertionError with all that is needed to see the difference; LanguageError
    for a source that the compiler refuses; TooMany."""
    module = module_of(source)
    system = system_of(source, module)
    ours, theirs = compiled(system), read(source, module, system)
    if different := differences(ours, theirs):
        raise AssertionError(report(source, system, different, label))
    return theirs


def report(
    source: RandomSource, system: System, different: Mapping[str, tuple[Any, Any]], label: str
) -> str:
    """What a person needs to see which of the two is right."""
    told = "\n".join(
        f"{what}\n  only compiled: {pformat(one)}\n  only read:     {pformat(two)}"
        for what, (one, two) in different.items()
    )
    variables = ", ".join(f"{v.name}[{v.length}]" for v in system.program.vars)
    return (
        f"the compiler and Python disagree: {label}\n{source.head}\n{source.functions}\n"
        f"calls: {source.calls}, hooks: {source.hooks}, interrupted: {source.interrupts}\n"
        f"initial: {dict(system.initial)}\n"
        f"finals are of: {variables}\n{told}"
    )


def check_explorers(source: RandomSource) -> None:
    """The native explorer finds what the reference explorer finds."""
    system = system_of(source, module_of(source))
    try:
        one = native.explore(system)
    except TooWide:
        return
    two = reference.explore(system)
    figures = [(it.states, it.transitions, it.hits) for it in (one, two)]
    assert figures[0] == figures[1], f"{source.head}\n{source.functions}\n{source.calls}"
