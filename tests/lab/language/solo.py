"""Run kernel functions and look at what is left: the smallest harness for language tests."""

from __future__ import annotations

from typing import Any

from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.reference import explore
from pinlab.lab.explore.result import Exploration
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import Actor, Program, System


def system(*functions: Any, irq_of: dict[int, int] | None = None, **initial: Any) -> System:
    """One actor per function (or per (function, arguments...)), in order."""
    tasks = [f if isinstance(f, tuple) else (f,) for f in functions]
    program: Program = compile_program(dict.fromkeys(task[0] for task in tasks))
    names = {var.name for var in program.vars}
    actors = tuple(
        Actor(f"actor{i}", task[0].__name__, task[1:], (irq_of or {}).get(i))
        for i, task in enumerate(tasks)
    )
    values = {k.replace("__", "."): v if isinstance(v, tuple) else (v,) for k, v in initial.items()}
    return System(program, actors, {k: v for k, v in values.items() if k in names})


def finals(it: System) -> set[tuple[int, ...]]:
    """Shared variables in every state where no actor can go on."""
    run = Interpreter(it)
    todo, seen, ends = [run.initial()], {run.initial()}, set()
    while todo:
        state = todo.pop()
        moves = list(run.moves(state))
        if not moves:
            ends.add(state[: run.places.vars[-1]])
        for move in moves:
            after = run.step(state, move).state
            if after is not None and after not in seen:
                seen.add(after)
                todo.append(after)
    return ends


def outcomes(it: System, name: str) -> set[int]:
    """Every value that the shared variable `name` (its first element) can end with."""
    at = Interpreter(it).places.vars[it.program.var(name)]
    return {end[at] for end in finals(it)}


def failures(it: System) -> set[str]:
    """The kinds of failure that any interleaving meets."""
    found: Exploration = explore(it)
    return {hit.removeprefix("failure:") for hit in found.hits if hit.startswith("failure:")}
