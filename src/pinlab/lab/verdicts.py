"""From an exploration to verdicts: one for every objective that the scenario judges."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pinlab import objectives
from pinlab.lab import weak
from pinlab.lab.build import called, objectives_of
from pinlab.lab.design import Design
from pinlab.lab.explore.result import Exploration, Path
from pinlab.lab.language.program import Emit, Program, System, flat
from pinlab.lab.results import Row
from pinlab.lab.scenarios.scenario import Reach, ReachFunction, Scenario
from pinlab.objectives.balance import Balance
from pinlab.objectives.events import Event
from pinlab.objectives.failures import FAILURES, failures_of
from pinlab.objectives.progress import Progress
from pinlab.objectives.verdict import Outcome, Verdict

FAILURE = "failure:"

NEVER_AT_REST = "in no run has everybody finished"

FINAL = frozenset({"deadlock", "bug"})
"""Failures after which nothing follows in the kernel either: there is no step left to take, or
BUG_ON has stopped it. After any other one a kernel would go on, and the lab cannot say how."""


def judge(
    design: Design,
    scenario: Scenario,
    judged: Iterable[str],
    it: System,
    found: Exploration,
    wanted: tuple[str, ...] | None,
    *,
    rests: bool = True,
) -> Iterator[tuple[Row, Path | None]]:
    """The verdicts of one exploration, each with its counterexample if violated. `rests`: it came
    to a state in which all had finished.

    A failure that the lab noticed by itself adds a row for the objective that it violates.
    """
    broken = [FAILURES[hit.removeprefix(FAILURE)] for hit in found.hits if FAILURE in hit]
    also = [o for o in broken if wanted is None or o in wanted]
    for objective in dict.fromkeys((*judged, *also)):
        verdict, path = _verdict(design, objective, scenario, it, found)
        is_hollow = not rests and verdict.outcome is Outcome.HOLDS
        if is_hollow and isinstance(objectives_of(design)[objective], Balance):
            verdict = Verdict.unknown(NEVER_AT_REST, verdict.bounds)
        row = Row(
            design.name,
            objective,
            scenario.name,
            verdict,
            found.states,
            found.transitions,
            found.seconds,
            it.program.memory_model,
        )
        yield row, path


def _verdict(
    design: Design, objective: str, scenario: Scenario, it: System, found: Exploration
) -> tuple[Verdict, Path | None]:
    bounds = _bounds(scenario, it, found)
    candidates: list[tuple[Path, str]] = []
    if objective in found.hits:
        candidates.append((found.hits[objective], ""))
    if objective in found.stuck:
        lost = found.stuck[objective]
        when = "from there on" if lost else "lost from the first state:"
        candidates.append((lost, f"{when} it can never come true"))
    if isinstance(objectives_of(design)[objective], Balance):
        candidates += [(path, word) for word, path in found.unbalanced.items()]
    for kind in failures_of(objective):
        if (hit := FAILURE + kind) in found.hits:
            candidates.append((found.hits[hit], f"{kind}: {found.messages[hit]}"))
    if candidates:
        path, reason = min(candidates, key=lambda c: len(c[0]))
        return Verdict.violated(len(path), bounds, reason=reason), path
    if not found.complete:
        return Verdict.unknown(f"stopped: {found.stopped}", bounds), None
    cut = [h.removeprefix(FAILURE) for h in found.hits if h.startswith(FAILURE)]
    cut = [kind for kind in cut if kind not in FINAL]
    if cut:
        why = f"some runs end early with {', '.join(cut)} (violates {FAILURES[cut[0]]})"
        return Verdict.unknown(why, bounds), None
    if reason := unasked(design, objective, scenario) or untouched(objective, scenario, it.program):
        return Verdict.unknown(reason, bounds), None
    missing = [
        goal.name
        for goal in scenario.reach
        if not design.lineage & set(scenario.unless.get(goal.name, ()))
        and not reached(goal, it, found)
    ]
    if missing:
        return Verdict.unknown(f"never reached: {', '.join(missing)}", bounds), None
    return Verdict.holds(bounds), None


def ways(objective: str, found: Exploration) -> Iterator[tuple[Path, int, str]]:
    """Each way in which the exploration violates the objective, with the node of its last step (0:
    none does it) and what a failure is about. Only of an exploration that told nodes apart."""
    names = {objective} | {FAILURE + kind for kind in failures_of(objective)}
    for (name, place, about), path in found.ways.items():
        if name in names:
            yield path, place, about
    if objective in found.stuck:
        yield found.stuck[objective], 0, ""
    if isinstance(objectives.load().get(objective), Balance):
        for word, path in found.unbalanced.items():
            yield path, 0, word


def unasked(design: Design, objective: str, scenario: Scenario) -> str:
    """Why progress has not been judged: that every task finishes is no question if none has to."""
    wanted = objectives_of(design)[objective]
    if not isinstance(wanted, Progress) or wanted.event is not None:
        return ""
    waited_for = [task for task in scenario.tasks if not task.daemon and task.irq_of is None]
    return "" if waited_for else "no task of it has to finish"


def untouched(objective: str, scenario: Scenario, program: Program) -> str:
    """Why an objective that no run violates has not been judged: no line that the scenario can
    come to says an event that would violate it. Empty if one does."""
    automaton = next((a for a in program.automata if a.name == objective), None)
    if automaton is None or failures_of(objective):
        return ""
    said = emitted(program, called(program, [scenario]))
    states, todo = {automaton.states[0]}, [automaton.states[0]]
    while todo:
        state = todo.pop()
        for event in said:
            if (state, event) in automaton.bad:
                return ""
            after = automaton.step.get((state, event), state)
            if after not in states:
                states.add(after)
                todo.append(after)
    bad = sorted({event for _, event in automaton.bad})
    return f"nothing here can violate it: no line leads to {' or '.join(bad)}"


def emitted(program: Program, functions: Collection[str]) -> frozenset[Event]:
    """The events that some line of `functions` says."""
    return frozenset(
        Event(op.event)
        for node in program.nodes
        if node.function in functions
        for op in flat(node.ops)
        if isinstance(op, Emit)
    )


def reached(goal: Reach, it: System, found: Exploration) -> bool:
    """Whether the exploration came to the goal."""
    if isinstance(goal, ReachFunction):
        return any(it.program.nodes[pc].function == goal.function for pc in found.covered)
    return goal.name in found.hits


def _bounds(scenario: Scenario, it: System, found: Exploration) -> str:
    how = "all" if found.complete else "the first"
    text = f"{scenario.bounds}; " if scenario.bounds else ""
    return (
        f"{text}{len(it.actors)} actors, {weak.bounds(it.program.memory_model)}, "
        f"{how} {found.states:,} states, depth {found.depth}"
    )
