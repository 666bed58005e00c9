"""The reference explorer: breadth-first search in plain Python, obviously right.

It keeps every state as the interpreter has it, numbered as they are found, and knows no trick. The
native explorer has to find the same.
"""

from __future__ import annotations

import sys
import time

from pinlab.garbage import uncollected
from pinlab.lab.explore.interpreter import Interpreter, State
from pinlab.lab.explore.result import (
    INTERRUPTED,
    AlwaysPossible,
    Audit,
    Exploration,
    Limits,
    Move,
    OnProgress,
    Path,
    Progress,
    Site,
    Way,
)
from pinlab.lab.language.program import HALTED, Failure, System

BESIDE = 600
"""Bytes that dicts, moves and lists take for each state beside the state itself, as measured."""

REPORT_EVERY = 4096
"""States between two reports of progress."""


@uncollected()
def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
    *,
    everywhere: bool = False,
    audit: Audit | None = None,
) -> Exploration:
    """Visit every state breadth-first; the first hit of anything is therefore a shortest one."""
    limits = limits or Limits()
    run = Interpreter(system)
    start = time.perf_counter()
    first = run.initial()
    each = sys.getsizeof(first) + BESIDE
    states, numbers = [first], {first: 0}
    parents: list[tuple[int, Move] | None] = [None]
    depth = [0]
    hits: dict[str, Path] = {}
    messages: dict[str, str] = {}
    failures: dict[Site, Path] = {}
    ways: dict[Way, Path] = {}
    unbalanced: dict[str, Path] = {}
    covered: set[int] = set()
    predecessors: list[list[int]] = [[]]
    good: dict[str, set[int]] = {p.name: set() for p in progress}
    transitions = 0
    stopped: str | None = None

    def path_to(number: int) -> Path:
        moves: list[Move] = []
        while (parent := parents[number]) is not None:
            number, move = parent
            moves.append(move)
        return tuple(reversed(moves))

    def hit(what: str, number: int, *last: Move, about: str = "") -> None:
        place = run.pc(states[number], last[0].actor) if last else 0
        if what not in hits:
            hits[what] = (*path_to(number), *last)
        if everywhere and (what, place, about) not in ways:
            ways[what, place, about] = (*path_to(number), *last)

    def fail(failure: Failure, number: int, *last: Move) -> None:
        what = f"failure:{failure.kind}"
        hit(what, number, *last, about=failure.site[1])
        messages.setdefault(what, failure.message)
        if failure.site not in failures:
            failures[failure.site] = (*path_to(number), *last)

    def visit(number: int) -> None:
        nonlocal transitions
        state = states[number]
        any_move = False
        finished = run.finished(state)
        if audit is not None and finished:
            for word in audit(run.shared(state)):
                if word not in unbalanced:
                    unbalanced[word] = path_to(number)
        for p in progress:
            if p.event is None and finished:
                good[p.name].add(number)
        for move in run.moves(state):
            any_move = True
            step = run.step(state, move)
            transitions += 1
            covered.update(step.nodes)
            for name in step.violated:
                hit(name, number, move)
            for p in progress:
                happens = p.event is not None and any(name == p.event for name, _ in step.events)
                if happens or step.failure is not None:  # what follows a failure is not known
                    good[p.name].add(number)
            if step.failure is not None:
                fail(step.failure, number, move)
            if step.state is None:
                continue
            reached = numbers.setdefault(step.state, len(states))
            if reached == len(states):
                states.append(step.state)
                parents.append((number, move))
                depth.append(depth[number] + 1)
                predecessors.append([])
            predecessors[reached].append(number)
        if not any_move and not finished:
            fail(Failure("deadlock", deadlock_message(run, state), about=""), number)

    def memory() -> int:
        return len(states) * each

    visited = 0
    try:
        while visited < len(states) and stopped is None:
            visit(visited)
            visited += 1
            seconds = time.perf_counter() - start
            if limits.max_states is not None and len(states) > limits.max_states:
                stopped = f"more than {limits.max_states:,} states"
            elif limits.seconds is not None and seconds > limits.seconds:
                stopped = f"more than {limits.seconds:g} seconds"
            elif limits.memory_bytes is not None and memory() > limits.memory_bytes:
                stopped = limits.full(memory())
            if on_progress is not None and visited % REPORT_EVERY == 0:
                frontier, level = len(states) - visited, depth[visited - 1]
                on_progress(Progress(len(states), transitions, frontier, level, seconds, memory()))
    except KeyboardInterrupt:
        stopped = INTERRUPTED

    stuck: dict[str, Path] = {}
    if stopped is None:
        for p in progress:
            possible = _backwards(good[p.name], predecessors)
            # In breadth-first order: the first one is nearest.
            without = next((n for n in range(len(states)) if n not in possible), None)
            if without is not None:
                stuck[p.name] = path_to(without)
    return Exploration(
        states=len(states),
        transitions=transitions,
        depth=max(depth),
        hits=hits,
        covered=frozenset(covered),
        complete=stopped is None,
        seconds=time.perf_counter() - start,
        memory_bytes=memory(),
        stopped=stopped,
        messages=messages,
        failures=failures,
        ways=ways,
        stuck=stuck,
        unbalanced=unbalanced,
    )


def deadlock_message(run: Interpreter, state: State) -> str:
    """Who waits where."""
    waiting = [
        f"{actor.name} in {run.program.nodes[run.pc(state, i)].function}"
        for i, actor in enumerate(run.system.actors)
        if run.pc(state, i) != HALTED and not actor.daemon and actor.irq_of is None
    ]
    return "waiting forever: " + ", ".join(waiting)


def _backwards(good: set[int], predecessors: list[list[int]]) -> set[int]:
    """Every state from which a state of `good` can be reached."""
    reached = set(good)
    todo = list(good)
    while todo:
        for before in predecessors[todo.pop()]:
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return reached
