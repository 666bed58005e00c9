"""What `--json` prints: shapes with a version, documented in docs/schemas.md.

A field is never removed nor changes its meaning within a version; fields may be added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypedDict

from pinlab.lab.film import Order, Why
from pinlab.lab.results import (
    Change,
    CheckResult,
    Comparison,
    Cost,
    Difference,
    Function,
    Info,
    Line,
    Row,
    Swept,
    Touched,
    Trace,
    Way,
)
from pinlab.objectives.verdict import Outcome, Verdict
from pinlab.report import sweep
from pinlab.report.sweep import SweepJson


class RowJson(TypedDict):
    """One verdict."""

    design: str
    objective: str
    scenario: str
    verdict: str
    steps: int | None
    states: int
    transitions: int
    seconds: float
    bounds: str
    reason: str
    memory_model: str


class CostJson(TypedDict):
    """What one design costs."""

    design: str
    pin: dict[str, int]
    unpin: dict[str, int]
    struct_page_bytes: int
    gup_fast: bool | None
    irq_unpin: bool | None


class CompareJson(TypedDict):
    """`pinlab compare --json`."""

    schema: Literal["pinlab.compare/1"]
    rows: list[RowJson]
    costs: list[CostJson]
    stopped: str | None


class LineJson(TypedDict):
    """A line of source."""

    file: str
    line: int
    function: str
    source: str


class CheckJson(TypedDict):
    """`pinlab check --json`. `uncovered` is null without `--coverage`."""

    schema: Literal["pinlab.check/1"]
    design: str
    verdict: str
    difference: DifferenceJson | None
    sweep: SweepJson | None
    rows: list[RowJson]
    uncovered: list[LineJson] | None
    stopped: str | None


class FunctionJson(TypedDict):
    """A function of the model. `role` is kernel, hook or pure; `kernel` are files of the kernel."""

    name: str
    role: str
    file: str
    line: int
    source: list[str]
    kernel: list[str]
    version: str
    stands_for: list[str]
    callers: list[str]
    calls: list[str]
    scenarios: list[str]
    designs: list[str]


class FunctionsJson(TypedDict):
    """`pinlab show --json`."""

    schema: Literal["pinlab.show/1"]
    functions: list[FunctionJson]


class TouchedFunctionJson(TypedDict):
    """A function of C that a patch touches; `model` are those of the model that stand for it,
    `named_in`, if there is none, those that speak of it."""

    file: str
    name: str
    model: list[str]
    named_in: list[str]


class UnnamedJson(TypedDict):
    """Hunks of a file that change lines of which the diff names no function."""

    file: str
    hunks: int


class TouchedJson(TypedDict):
    """`pinlab show --touched DIFF --json`."""

    schema: Literal["pinlab.touched/1"]
    touched: list[TouchedFunctionJson]
    unnamed: list[UnnamedJson]


class DifferenceJson(TypedDict):
    """What a patch changes. `broke` says whether anything is violated that was not before."""

    base: str
    broke: bool
    changes: list[VerdictChangeJson]
    verdicts: int
    scenarios: int
    states: int
    stopped: str | None
    unsaid: list[UnsaidJson]
    failures: list[NewFailureJson]


class NewFailureJson(TypedDict):
    """A failure that a patch brings behind a verdict that stays."""

    objective: str
    scenario: str
    failure: str
    steps: int
    known: bool


class UnsaidJson(TypedDict):
    """An event that a replaced function no longer says."""

    function: str
    event: str


class VerdictChangeJson(TypedDict):
    """A verdict that a patch changes; null where the objective was not judged."""

    objective: str
    scenario: str
    before: str | None
    after: str | None
    steps: int | None
    reason: str
    broke: bool


class ChangeJson(TypedDict):
    """A shared variable that a step changed."""

    name: str
    old: str
    new: str


class ReadJson(TypedDict):
    """A shared variable that a step read and did not change."""

    name: str
    value: str


class EventJson(TypedDict):
    """An event of a page (pages count from 1)."""

    event: str
    page: int


class StepJson(TypedDict):
    """One step of a counterexample."""

    number: int
    actor: str
    function: str
    file: str
    line: int
    source: str
    changes: list[ChangeJson]
    events: list[EventJson]
    reads: list[ReadJson]
    notes: list[str]


class MoveJson(TypedDict):
    """What a replay needs of a step: the actor's number and its choice."""

    actor: int
    choice: int


class ExplainJson(TypedDict):
    """`pinlab explain --json`. `steps` and `moves` are empty unless `verdict` is violated."""

    schema: Literal["pinlab.explain/1"]
    design: str
    objective: str
    scenario: str | None
    claim: str
    memory_model: str
    verdict: str
    reason: str
    actors: list[str]
    steps: list[StepJson]
    moves: list[MoveJson]
    why: WhyJson | None
    way: int
    ways: list[WayJson]


class OrderJson(TypedDict):
    """Two steps by number that race for some cells."""

    before: int
    after: int
    cells: list[str]


class WhyJson(TypedDict):
    """Which orders of steps the violation needs, which it does not, and the last chance."""

    needed: list[OrderJson]
    free: list[OrderJson]
    chance: int | None
    unknown: str
    states: int


class WayJson(TypedDict):
    """Where one of the ways to violate the objective ends; no function: no step does it."""

    scenario: str
    steps: int
    function: str
    file: str
    line: int


class InfoJson(TypedDict):
    """A design, a scenario or an objective."""

    name: str
    summary: str
    kind: str
    path: str


class ListJson(TypedDict, total=False):
    """`pinlab list --json`: the lists that were asked for."""

    schema: Literal["pinlab.list/1"]
    designs: list[InfoJson]
    scenarios: list[InfoJson]
    objectives: list[InfoJson]
    functions: list[InfoJson]
    fields: list[InfoJson]
    operations: list[InfoJson]
    states: list[InfoJson]


def compare(comparison: Comparison) -> CompareJson:
    """The comparison as "pinlab.compare/1"."""
    return {
        "schema": "pinlab.compare/1",
        "rows": [_row(row) for row in comparison.rows],
        "costs": [_cost(cost) for cost in comparison.costs],
        "stopped": comparison.stopped,
    }


def check(
    result: CheckResult, difference: Difference | None = None, swept: Swept | None = None
) -> CheckJson:
    """The check, and what a patch changes, as "pinlab.check/1"."""
    return {
        "schema": "pinlab.check/1",
        "design": result.design,
        "verdict": _verdict(result, difference),
        "difference": None if difference is None else _difference(difference),
        "sweep": None
        if swept is None
        else sweep.json([swept], None if difference is None else difference.base),
        "rows": [_row(row) for row in result.rows],
        "uncovered": None if result.uncovered is None else [_line(at) for at in result.uncovered],
        "stopped": result.stopped,
    }


def _verdict(result: CheckResult, difference: Difference | None) -> str:
    """What the rows come to; they do not hold if the patch keeps silent about something."""
    silent = difference is not None and bool(difference.unsaid)
    holds = result.verdict.outcome is Outcome.HOLDS
    return (Outcome.UNKNOWN if holds and silent else result.verdict.outcome).value


def explain(
    trace: Trace, ways: Iterable[Way] = (), way: int = 1, why: Why | None = None
) -> ExplainJson:
    """The counterexample, `way` of `ways`, as "pinlab.explain/1"; `why` is what matters in it."""
    return {
        "schema": "pinlab.explain/1",
        "design": trace.design,
        "objective": trace.objective,
        "scenario": trace.scenario,
        "claim": trace.claim,
        "memory_model": trace.memory_model,
        "verdict": trace.outcome.value,
        "reason": trace.message,
        "actors": list(trace.actors),
        "steps": [
            {
                "number": step.number,
                "actor": step.actor,
                "function": step.function,
                "file": step.file,
                "line": step.line,
                "source": step.source,
                "changes": [{"name": n, "old": old, "new": new} for n, old, new in step.changes],
                "events": [{"event": event, "page": page} for event, page in step.events],
                "reads": [{"name": name, "value": value} for name, value in step.reads],
                "notes": list(step.notes),
            }
            for step in trace.steps
        ],
        "moves": [{"actor": move.actor, "choice": move.choice} for move in trace.moves],
        "why": None if why is None else _why(why),
        "way": way,
        "ways": [
            {
                "scenario": way.scenario,
                "steps": way.steps,
                "function": way.function,
                "file": way.file,
                "line": way.line,
            }
            for way in ways
        ],
    }


def _why(it: Why) -> WhyJson:
    def orders(some: Iterable[Order]) -> list[OrderJson]:
        return [
            {"before": each.before, "after": each.after, "cells": list(each.cells)} for each in some
        ]

    return {
        "needed": orders(it.needed),
        "free": orders(it.free),
        "chance": it.chance,
        "unknown": it.unknown,
        "states": it.states,
    }


def nothing_to_explain(
    design: str,
    objective: str,
    scenario: str | None,
    claim: str,
    verdict: Verdict,
    memory_model: str,
) -> ExplainJson:
    """An explanation of a verdict that is no violation, as "pinlab.explain/1"."""
    return {
        "schema": "pinlab.explain/1",
        "design": design,
        "objective": objective,
        "scenario": scenario,
        "claim": claim,
        "memory_model": memory_model,
        "verdict": verdict.outcome.value,
        "reason": verdict.reason or verdict.bounds,
        "actors": [],
        "steps": [],
        "moves": [],
        "why": None,
        "way": 0,
        "ways": [],
    }


def listing(lists: Mapping[str, Iterable[Info]]) -> ListJson:
    """What there is, or what a design brings, as "pinlab.list/1"; keys: designs, scenarios,
    objectives, functions, fields, operations, states."""
    shown: ListJson = {"schema": "pinlab.list/1"}
    if "designs" in lists:
        shown["designs"] = [_info(info) for info in lists["designs"]]
    if "scenarios" in lists:
        shown["scenarios"] = [_info(info) for info in lists["scenarios"]]
    if "objectives" in lists:
        shown["objectives"] = [_info(info) for info in lists["objectives"]]
    if "functions" in lists:
        shown["functions"] = [_info(info) for info in lists["functions"]]
    if "fields" in lists:
        shown["fields"] = [_info(info) for info in lists["fields"]]
    if "operations" in lists:
        shown["operations"] = [_info(info) for info in lists["operations"]]
    if "states" in lists:
        shown["states"] = [_info(info) for info in lists["states"]]
    return shown


def functions(found: Iterable[Function]) -> FunctionsJson:
    """Functions of the model as "pinlab.show/1"."""
    return {"schema": "pinlab.show/1", "functions": [_function(each) for each in found]}


def _function(it: Function) -> FunctionJson:
    return {
        "name": it.name,
        "role": it.role,
        "file": it.file,
        "line": it.lines[0][0],
        "source": [line for _, line in it.lines],
        "kernel": list(it.kernel),
        "version": it.version,
        "stands_for": list(it.stands_for),
        "callers": list(it.callers),
        "calls": list(it.calls),
        "scenarios": list(it.scenarios),
        "designs": list(it.designs),
    }


def touched(found: Touched) -> TouchedJson:
    """What a patch touches as "pinlab.touched/1"."""
    return {
        "schema": "pinlab.touched/1",
        "touched": [
            {
                "file": each.file,
                "name": each.name,
                "model": list(each.model),
                "named_in": list(each.named_in),
            }
            for each in found.functions
        ],
        "unnamed": [{"file": file, "hunks": hunks} for file, hunks in found.unnamed],
    }


def _difference(difference: Difference) -> DifferenceJson:
    return {
        "base": difference.base,
        "broke": difference.broke,
        "changes": [_change(change) for change in difference.changes],
        "verdicts": difference.verdicts,
        "scenarios": difference.scenarios,
        "states": difference.states,
        "stopped": difference.stopped,
        "unsaid": [{"function": name, "event": event} for name, event in difference.unsaid],
        "failures": [
            {
                "objective": new.failed.objective,
                "scenario": new.failed.scenario,
                "failure": new.failed.failure,
                "steps": new.failed.steps,
                "known": new.known,
            }
            for new in difference.failures
        ],
    }


def _change(change: Change) -> VerdictChangeJson:
    return {
        "objective": change.objective,
        "scenario": change.scenario,
        "before": None if change.before is None else change.before.outcome.value,
        "after": None if change.after is None else change.after.outcome.value,
        "steps": None if change.after is None else change.after.steps,
        "reason": "" if change.after is None else change.after.reason,
        "broke": change.broke,
    }


def _row(row: Row) -> RowJson:
    return {
        "design": row.design,
        "objective": row.objective,
        "scenario": row.scenario,
        "verdict": row.verdict.outcome.value,
        "steps": row.steps,
        "states": row.states,
        "transitions": row.transitions,
        "seconds": round(row.seconds, 3),
        "bounds": row.bounds,
        "reason": row.reason,
        "memory_model": row.memory_model,
    }


def _cost(cost: Cost) -> CostJson:
    return {
        "design": cost.design,
        "pin": dict(cost.pin),
        "unpin": dict(cost.unpin),
        "struct_page_bytes": cost.struct_page_bytes,
        "gup_fast": cost.gup_fast,
        "irq_unpin": cost.irq_unpin,
    }


def _line(at: Line) -> LineJson:
    return {"file": at.file, "line": at.line, "function": at.function, "source": at.source}


def _info(info: Info) -> InfoJson:
    return {"name": info.name, "summary": info.summary, "kind": info.kind, "path": info.path}
