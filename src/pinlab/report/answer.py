"""`pinlab check`, the answer first: a row per objective, worst first; what is unknown and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from shlex import quote

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import SC, CheckResult, Row
from pinlab.objectives import order
from pinlab.objectives.verdict import Outcome, severity
from pinlab.report.fit import Fitted
from pinlab.report.table import COLOURS, coverage, explored

WORST_FIRST = (Outcome.VIOLATED, Outcome.UNKNOWN, Outcome.INCONCLUSIVE, Outcome.HOLDS)

NARROW = 80
"""Below so many columns the scenarios get `NAME` of them, and the verdicts what is left."""

NAME = 22
"""Columns that the longest name of a scenario takes, with a semicolon."""

COMBINED = "/"
"""In the name of a scenario of operations, which the thread has none of."""

NAMED = 3
"""Names that a sentence lists before it counts the rest."""


def answer(result: CheckResult, asked: str | None = None) -> RenderableType:
    """One row per objective. `asked` is how the design was named."""
    design = asked or result.design
    objectives = by_objective(result.rows)
    parts: list[RenderableType] = [
        Fitted(partial(_table, objectives)),
        _explored(result.rows),
    ]
    parts += _unknown(result.rows)
    if result.uncovered is not None:
        parts.append(coverage(result.uncovered))
    if result.stopped:
        parts.append(Text(f"Stopped early: {result.stopped}.", style="bold yellow"))
    parts.append(_hint(design, objectives))
    return Group(*parts)


def by_objective(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each objective; the worst objective first, and in each the row that decides."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (severity(row.verdict), order(row.objective))):
        groups.setdefault(row.objective, []).append(row)
    return list(groups.values())


def finished(title: str, rows: Sequence[Row]) -> Text:
    """The verdicts of a scenario or a design in one line, as soon as they are known."""
    verdicts: dict[str, list[Row]] = {}
    for decides, *_ in by_objective(rows):
        holds = decides.verdict.outcome is Outcome.HOLDS
        verdicts.setdefault("holds" if holds else str(decides.verdict), []).append(decides)
    line = Text(f"{title}  ")
    for words, same in verdicts.items():
        names = " ".join(row.objective for row in same)
        line.append(f"{names}: {words}", style=COLOURS[same[0].verdict.outcome])
        line.append("; ")
    states, seconds = explored(rows)
    return line.append(f"{states:,} states, {seconds:.2f} s")


def _table(objectives: Iterable[list[Row]], columns: int) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("objective", no_wrap=True)
    table.add_column("verdict")
    table.add_column("scenario", width=NAME if columns < NARROW else None)
    table.add_column("states", justify="right", no_wrap=True)
    for rows in objectives:
        first = rows[0]
        holds = first.verdict.outcome is Outcome.HOLDS
        words = "holds" if holds else str(first.verdict)
        table.add_row(
            first.objective,
            Text(words, style=COLOURS[first.verdict.outcome]),
            _everywhere(rows) if holds else _elsewhere(rows),
            f"{explored(rows)[0] if holds else first.states:,}",
        )
    return table


def _everywhere(rows: Sequence[Row]) -> str:
    return rows[0].scenario if len(rows) == 1 else f"all {len(rows)}"


def _elsewhere(rows: Sequence[Row]) -> str:
    """The scenario that decides, and what the others say."""
    decides, *others = rows
    counts = Counter(row.verdict.outcome for row in others)
    words = [_others(outcome, counts[outcome]) for outcome in WORST_FIRST if counts[outcome]]
    if not words:
        return decides.scenario
    return f"{decides.scenario}; {', '.join(words)}"


def _others(outcome: Outcome, count: int) -> str:
    if outcome is Outcome.HOLDS:
        return f"holds in {count}"
    return f"{outcome.value} in {count} more"


def _explored(rows: Sequence[Row]) -> Text:
    states, seconds = explored(rows)
    scenarios = {row.scenario for row in rows}
    begun = len({row.scenario for row in rows if row.states})
    of = "" if begun == len(scenarios) else f" of {len(scenarios)}"
    plural = "scenario" if len(scenarios) == 1 else "scenarios"
    return Text(f"{begun}{of} {plural}, {states:,} states, {seconds:.1f} s")


def _unknown(rows: Iterable[Row]) -> list[Text]:
    """A line for each reason why something is unknown, with the objectives and scenarios."""
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.verdict.outcome in (Outcome.UNKNOWN, Outcome.INCONCLUSIVE):
            reasons.setdefault(row.reason, []).append(row)
    lines = []
    for reason, unknown in reasons.items():
        objectives = sorted({row.objective for row in unknown}, key=order)
        scenarios = list(dict.fromkeys(row.scenario for row in unknown))
        words = f"? {' '.join(objectives)} in {_some(scenarios)}: {reason}"
        lines.append(Text(words, style=COLOURS[Outcome.UNKNOWN]))
    return lines


def _some(names: Sequence[str]) -> str:
    shown, rest = names[:NAMED], len(names) - NAMED
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return ", ".join(shown)


def _hint(design: str, objectives: Sequence[list[Row]]) -> Text:
    """How to see more of what was asked."""
    if not objectives:
        return Text(f"`pinlab list {design}` shows what it brings.", style="bold")
    rows = [row for each in objectives for row in each]
    worst = objectives[0][0]
    names = list(dict.fromkeys(row.scenario for row in rows))
    combined = [name for name in names if COMBINED in name]
    model = "" if worst.memory_model == SC else f" --memory-model {worst.memory_model}"
    asked = (
        "".join(f" --scenario {quote(name)}" for name in combined) if len(combined) < NAMED else ""
    )
    hint = f"`pinlab check {quote(design)}{asked}{model} --all` prints every row, with its bounds"
    if worst.verdict.outcome is Outcome.VIOLATED:
        where = f" --scenario {quote(worst.scenario)}" if worst.scenario in combined else ""
        how = f"`pinlab explain {quote(design)} {worst.objective}{where}{model}`"
        hint += f"; {how} shows how {worst.objective} is violated"
    return Text(f"{hint}.", style="bold")
