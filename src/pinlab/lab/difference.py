"""What a patch changes: its verdicts beside those of what it builds on."""

from __future__ import annotations

from collections.abc import Iterable

from pinlab.lab.results import Change, CheckResult, Difference, Row
from pinlab.lab.scenarios.scenario import unordered
from pinlab.objectives.verdict import Verdict, worst

Key = tuple[str, str]
"""Objective and scenario."""


def difference(before: CheckResult, after: CheckResult) -> Difference:
    """The verdicts of `after` that differ from those of `before`, both asked the same.

    A verdict that only one of them has is of a failure that the lab noticed by itself.
    """
    old, new = _verdicts(before.rows), _verdicts(after.rows)
    changes = (
        Change(objective, scenario, old.get((objective, scenario)), new.get((objective, scenario)))
        for objective, scenario in dict.fromkeys((*new, *old))
    )
    return Difference(
        before.design,
        tuple(change for change in changes if _outcome(change.before) != _outcome(change.after)),
        len(old.keys() | new.keys()),
        len({unordered(row.scenario) for row in after.rows if row.states}),
        sum({row.scenario: row.states for row in after.rows}.values()),
        before.stopped or after.stopped,
    )


def _verdicts(rows: Iterable[Row]) -> dict[Key, Verdict]:
    """The worst verdict of each objective in each scenario, in whatever order of its tasks: only
    one of the two may depend on it."""
    found: dict[Key, list[Verdict]] = {}
    for row in rows:
        found.setdefault((row.objective, unordered(row.scenario)), []).append(row.verdict)
    return {key: worst(verdicts) for key, verdicts in found.items()}


def _outcome(verdict: Verdict | None) -> object:
    return verdict and verdict.outcome
