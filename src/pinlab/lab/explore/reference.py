"""The reference explorer: breadth-first search in plain Python, obviously right.

It keeps every state as the interpreter has it and every parent of it, and knows no trick. The
native explorer has to find the same.
"""

from __future__ import annotations

import sys
import time
from collections import deque

from pinlab.lab.explore.interpreter import Interpreter, State
from pinlab.lab.explore.result import (
    INTERRUPTED,
    AlwaysPossible,
    Exploration,
    Limits,
    Move,
    OnProgress,
    Path,
    Progress,
    Way,
)
from pinlab.lab.language.program import HALTED, System

BESIDE = 600
"""Bytes that dicts, moves and lists take for each state beside the state itself, as measured."""

REPORT_EVERY = 4096
"""States between two reports of progress."""


def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
    *,
    everywhere: bool = False,
) -> Exploration:
    """Visit every state breadth-first; the first hit of anything is therefore a shortest one."""
    limits = limits or Limits()
    run = Interpreter(system)
    start = time.perf_counter()
    first = run.initial()
    each = sys.getsizeof(first) + BESIDE
    parents: dict[State, tuple[State, Move] | None] = {first: None}
    depth = {first: 0}
    queue = deque([first])
    hits: dict[str, Path] = {}
    messages: dict[str, str] = {}
    ways: dict[Way, Path] = {}
    covered: set[int] = set()
    predecessors: dict[State, list[State]] = {}
    good: dict[str, set[State]] = {p.name: set() for p in progress}
    transitions = 0
    stopped: str | None = None

    def path_to(state: State) -> Path:
        moves: list[Move] = []
        while (parent := parents[state]) is not None:
            state, move = parent
            moves.append(move)
        return tuple(reversed(moves))

    def hit(what: str, state: State, *last: Move, message: str = "") -> None:
        place = run.pc(state, last[0].actor) if last else 0
        if what not in hits:
            hits[what] = (*path_to(state), *last)
            messages[what] = message
        if everywhere and (what, place) not in ways:
            ways[what, place] = (*path_to(state), *last)

    def visit(state: State) -> None:
        nonlocal transitions
        any_move = False
        finished = run.finished(state)
        for p in progress:
            if p.event is None and finished:
                good[p.name].add(state)
        for move in run.moves(state):
            any_move = True
            step = run.step(state, move)
            transitions += 1
            covered.update(step.nodes)
            for name in step.violated:
                hit(name, state, move)
            for p in progress:
                happens = p.event is not None and any(name == p.event for name, _ in step.events)
                if happens or step.failure is not None:  # what follows a failure is not known
                    good[p.name].add(state)
            if step.failure is not None:
                kind = f"failure:{step.failure.kind}"
                hit(kind, state, move, message=step.failure.message)
            if step.state is None:
                continue
            if progress:
                predecessors.setdefault(step.state, []).append(state)
            if step.state not in parents:
                parents[step.state] = (state, move)
                depth[step.state] = depth[state] + 1
                queue.append(step.state)
        if not any_move and not finished:
            hit("failure:deadlock", state, message=deadlock_message(run, state))

    def memory() -> int:
        return len(parents) * each

    visited = 0
    try:
        while queue and stopped is None:
            state = queue.popleft()
            visit(state)
            visited += 1
            seconds = time.perf_counter() - start
            if limits.max_states is not None and len(parents) > limits.max_states:
                stopped = f"more than {limits.max_states:,} states"
            elif limits.seconds is not None and seconds > limits.seconds:
                stopped = f"more than {limits.seconds:g} seconds"
            elif limits.memory_bytes is not None and memory() > limits.memory_bytes:
                stopped = limits.full(memory())
            if on_progress is not None and visited % REPORT_EVERY == 0:
                frontier, level = len(queue), depth[state]
                on_progress(Progress(len(parents), transitions, frontier, level, seconds, memory()))
    except KeyboardInterrupt:
        stopped = INTERRUPTED

    stuck: dict[str, Path] = {}
    if stopped is None:
        for p in progress:
            possible = _backwards(good[p.name], predecessors)
            for state in parents:  # in breadth-first order: the first one is nearest
                if state not in possible:
                    stuck[p.name] = path_to(state)
                    break
    return Exploration(
        states=len(parents),
        transitions=transitions,
        depth=max(depth.values()),
        hits=hits,
        covered=frozenset(covered),
        complete=stopped is None,
        seconds=time.perf_counter() - start,
        memory_bytes=memory(),
        stopped=stopped,
        messages=messages,
        ways=ways,
        stuck=stuck,
    )


def deadlock_message(run: Interpreter, state: State) -> str:
    """Who waits where."""
    waiting = [
        f"{actor.name} in {run.program.nodes[run.pc(state, i)].function}"
        for i, actor in enumerate(run.system.actors)
        if run.pc(state, i) != HALTED and not actor.daemon and actor.irq_of is None
    ]
    return "waiting forever: " + ", ".join(waiting)


def _backwards(good: set[State], predecessors: dict[State, list[State]]) -> set[State]:
    """Every state from which a state of `good` can be reached."""
    reached = set(good)
    todo = list(good)
    while todo:
        for before in predecessors.get(todo.pop(), ()):
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return reached
