"""A counterexample, replayed: who executed which line, what it read and what it changed."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pinlab.errors import UsageError
from pinlab.lab.explore.interpreter import Interpreter, State, Step
from pinlab.lab.explore.result import AlwaysPossible, Audit, Move
from pinlab.lab.explore.result import Path as Moves
from pinlab.lab.language.primitives import WRITER
from pinlab.lab.language.program import Node, Program, System
from pinlab.lab.results import Trace, TraceStep
from pinlab.lab.weak.story import Story, is_hidden
from pinlab.objectives.failures import FAILURES
from pinlab.objectives.verdict import Outcome

Show = Callable[[str, int], str]
"""The value of a variable, by its name, as a person reads it."""

REPLAY_STATES = 200_000
"""How far a replay looks for a way out of the last state of a progress counterexample."""


def replay(
    it: System,
    moves: Moves,
    *,
    design: str,
    scenario: str,
    objective: str,
    claim: str,
    show: Show = lambda _, value: str(value),
    progress: tuple[AlwaysPossible, ...] = (),
    audit: Audit | None = None,
) -> Trace:
    """Execute `moves` from the initial state and say whether they end in a violation.

    Raises UsageError if a move does not exist (any more).
    """
    run = Interpreter(it)
    value_of = partial(of_var, it, show)
    story = Story(it, partial(element, it.program), value_of)
    state = run.initial()
    steps: list[TraceStep] = []
    last: Step | None = None
    for number, move in enumerate(moves, 1):
        if move not in set(run.moves(state)):
            raise UsageError(
                f"step {number} of the counterexample is not possible any more: the model or the "
                f"design has changed; run `pinlab explain {design} {objective}` for a new one"
            )
        last = run.step(state, move)
        steps.append(_step(run, story, value_of, state, move, last, number))
        if last.state is None:
            break
        state = last.state
    outcome, message = _judge(run, state, last, objective, progress)
    if audit is not None and outcome is Outcome.HOLDS and run.finished(state):
        wrong = list(audit(run.shared(state)))
        if wrong:
            outcome, message = Outcome.VIOLATED, f"when all is done, {'; '.join(wrong)}"
    return Trace(
        design=design,
        scenario=scenario,
        objective=objective,
        claim=claim,
        actors=tuple(actor.name for actor in it.actors),
        steps=tuple(steps),
        moves=moves,
        outcome=outcome,
        message=message,
        memory_model=it.program.memory_model,
    )


ValueOf = Callable[[int, int], str]
"""The value of a variable, by its number."""


def of_var(it: System, show: Show, var: int, value: int) -> str:
    """A value as a person reads it: who holds a lock, what a page table entry says."""
    kind = it.program.vars[var].kind
    if kind in ("spinlock", "mutex"):
        return "free" if value == 0 else f"held by {it.actors[value - 1].name}"
    if kind == "rwsem" and value >= WRITER:
        return f"held by {it.actors[value - WRITER].name}"
    if kind == "rwsem":
        return {0: "free", 1: "1 reader"}.get(value, f"{value} readers")
    return show(it.program.vars[var].name, value)


def _step(
    run: Interpreter,
    story: Story,
    value_of: ValueOf,
    before: State,
    move: Move,
    step: Step,
    number: int,
) -> TraceStep:
    nodes = [run.program.nodes[pc] for pc in step.nodes]
    shown = shown_node(nodes)
    changes = _changes(run, value_of, before, step.state) if step.state is not None else ()
    looked_at = run.read(before, move)
    old = story.old_reads(nodes[0], move.choice, looked_at)
    states = run.shared(before), run.shared(step.state or before)
    return TraceStep(
        number=number,
        actor=run.system.actors[move.actor].name,
        function=shown.function,
        file=short(shown.file),
        line=shown.line,
        source=linecache.getline(shown.file, shown.line).strip(),
        changes=changes,
        events=step.events,
        reads=_reads(run, value_of, looked_at | old, {name for name, _, _ in changes}),
        notes=tuple(story.notes(move.actor, nodes[0], move.choice, old, states)),
    )


def shown_node(nodes: list[Node]) -> Node:
    """The node that a reader should see: the one with the primitive."""
    return next((node for node in nodes if node.visible), nodes[0])


def _reads(
    run: Interpreter,
    value_of: ValueOf,
    looked_at: Mapping[tuple[int, int], int],
    changed: set[str],
) -> tuple[tuple[str, str], ...]:
    """What the step read; what it changed as well is seen there."""
    found = [
        (element(run.program, var, i), value_of(var, value))
        for (var, i), value in looked_at.items()
        if not is_hidden(run.program.vars[var].name)
    ]
    return tuple((name, value) for name, value in found if name not in changed)


def _changes(
    run: Interpreter, value_of: ValueOf, before: State, after: State
) -> tuple[tuple[str, str, str], ...]:
    found = []
    for number, var in enumerate(run.program.vars):
        if number in run.program.automaton_vars or is_hidden(var.name):
            continue
        for i in range(var.length):
            at = run.places.vars[number] + i
            if before[at] != after[at]:
                old, new = (value_of(number, s[at]) for s in (before, after))
                found.append((element(run.program, number, i), old, new))
    return tuple(found)


def element(program: Program, var: int, index: int) -> str:
    """How a person calls one element: `Page 1._refcount`, `Vma 2.pte[0]`, `tlb[3]`."""
    it = program.vars[var]
    if "." in it.name:
        struct, field = it.name.split(".", 1)
        count = _instances(program, struct)
        per = max(1, it.length // count)
        instance = f"{struct}{index // per + 1}" if count > 1 else struct
        return f"{instance}.{field}" + (f"[{index % per}]" if per > 1 else "")
    return it.name if it.length == 1 else f"{it.name}[{index}]"


def _instances(program: Program, struct: str) -> int:
    """How many instances a structure has: the shortest of its variables has one per instance."""
    return min(v.length for v in program.vars if v.name.startswith(f"{struct}."))


def _judge(
    run: Interpreter,
    state: State,
    last: Step | None,
    objective: str,
    progress: tuple[AlwaysPossible, ...],
) -> tuple[Outcome, str]:
    """Whether the replayed path ends in a violation of `objective`, and how in words."""
    if last is not None and objective in last.violated:
        event = last.events[-1][0] if last.events else ""
        return Outcome.VIOLATED, f"{objective} is violated by {event}"
    if last is not None and last.failure is not None:
        broken = FAILURES[last.failure.kind] == objective
        outcome = Outcome.VIOLATED if broken else Outcome.UNKNOWN
        return outcome, f"{last.failure.kind}: {last.failure.message}"
    if not any(True for _ in run.moves(state)) and not run.finished(state):
        broken = FAILURES["deadlock"] == objective
        outcome = Outcome.VIOLATED if broken else Outcome.UNKNOWN
        return outcome, "deadlock: " + waiting(run, state)
    for p in progress:
        if p.name == objective:
            possible = still_possible(run, state, p)
            if possible is None:
                return Outcome.UNKNOWN, f"more than {REPLAY_STATES:,} states follow"
            if not possible:
                goal = (
                    "not every task can finish" if p.event is None else f"{p.event} cannot happen"
                )
                return Outcome.VIOLATED, f"from here on {goal} any more"
    return Outcome.HOLDS, "the path ends without a violation"


def waiting(run: Interpreter, state: State) -> str:
    """Who stands where and cannot go on."""
    return ", ".join(
        f"{actor.name} waits in {run.program.nodes[run.pc(state, i)].function}"
        for i, actor in enumerate(run.system.actors)
        if run.pc(state, i) != 0 and not actor.daemon and actor.irq_of is None
    )


def still_possible(run: Interpreter, start: State, goal: AlwaysPossible) -> bool | None:
    """Whether the goal can come true from `start`; None if that is too much to look at."""
    seen = {start}
    todo = [start]
    while todo:
        state = todo.pop()
        if goal.event is None and run.finished(state):
            return True
        for move in run.moves(state):
            step = run.step(state, move)
            if goal.event is not None and any(name == goal.event for name, _ in step.events):
                return True
            if step.state is not None and step.state not in seen:
                if len(seen) > REPLAY_STATES:
                    return None
                seen.add(step.state)
                todo.append(step.state)
    return False


def short(file: str) -> str:
    """A source file as traces show it: below the package's lab/ folder, or its bare name."""
    path = Path(file)
    here = Path(__file__).parent
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name
