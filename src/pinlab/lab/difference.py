"""What a patch changes: its verdicts beside those of what it builds on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.results import Change, CheckResult, Difference, NewFailure, Row
from pinlab.lab.scenarios.scenario import unordered
from pinlab.lab.verdicts import emitted
from pinlab.objectives.verdict import Outcome, Verdict, worst

Key = tuple[str, str]
"""Objective and scenario."""


def difference(before: CheckResult, after: CheckResult) -> Difference:
    """The verdicts of `after` that differ from those of `before`, both asked the same.

    A verdict that only one of them has is of a failure that the lab noticed by itself. That the
    other met none is known only if it was explored to the end.
    """
    old, new = _verdicts(before.rows), _verdicts(after.rows)
    changes = (
        Change(*key, _verdict(old, key), _verdict(new, key)) for key in dict.fromkeys((*new, *old))
    )
    return Difference(
        before.design,
        tuple(change for change in changes if _outcome(change.before) != _outcome(change.after)),
        len(old.keys() | new.keys()),
        len({unordered(row.scenario) for row in after.rows if row.states}),
        sum({row.scenario: row.states for row in after.rows}.values()),
        before.stopped or after.stopped,
        failures=tuple(_new(before, after, old, new)),
    )


def _new(
    before: CheckResult, after: CheckResult, old: Mapping[Key, Verdict], new: Mapping[Key, Verdict]
) -> Iterator[NewFailure]:
    """The failures that only `after` met, behind verdicts that do not tell them: the shortest of
    each, in whatever order of the tasks."""
    met = {(unordered(it.scenario), it.objective, it.failure) for it in before.failures}
    unfinished = {unordered(name) for name in before.unfinished}
    for it in sorted(after.failures, key=lambda it: it.steps):
        scenario = unordered(it.scenario)
        what, key = (scenario, it.objective, it.failure), (it.objective, scenario)
        if what not in met and _outcome(old.get(key)) == _outcome(new.get(key)):
            met.add(what)
            yield NewFailure(replace(it, scenario=scenario), scenario not in unfinished)


def unsaid(patch: Design, base: Design) -> Iterator[tuple[str, str]]:
    """Each function that the patch replaces and the events that it no longer says: objectives
    judge by events alone, so to leave one out may hide what it is to show."""
    for name, function in patch.replaced.items():
        if base.replaced.get(name, base.world.functions[name]) is not function:
            for event in sorted(said(base, name) - said(patch, name)):
                yield name, event


def said(design: Design, function: str) -> frozenset[str]:
    """The events that a function of the design says, with helpers of its own: those of its
    program, so not what can never run."""
    program = build.program(design)
    own = {
        name: called - design.world.functions.keys()
        for name, called in program.calls.items()
        if name == function or name not in design.world.functions
    }
    if function not in own:  # it is a part of an expression, or nobody calls it
        return frozenset()
    return frozenset(map(str, emitted(program, build.called_from(own, [function]))))


def _verdicts(rows: Iterable[Row]) -> dict[Key, Verdict]:
    """The worst verdict of each objective in each scenario, in whatever order of its tasks: only
    one of the two may depend on it."""
    found: dict[Key, list[Verdict]] = {}
    for row in rows:
        found.setdefault((row.objective, unordered(row.scenario)), []).append(row.verdict)
    return {key: worst(verdicts) for key, verdicts in found.items()}


def _verdict(found: Mapping[Key, Verdict], key: Key) -> Verdict | None:
    """The verdict; None if no failure was met, which is known only of what was explored whole."""
    if key in found:
        return found[key]
    others = (verdict for (_, scenario), verdict in found.items() if scenario == key[1])
    ended = any(verdict.outcome is Outcome.HOLDS for verdict in others)
    return None if ended else Verdict.unknown("not known to be explored to the end")


def _outcome(verdict: Verdict | None) -> object:
    return verdict and verdict.outcome
