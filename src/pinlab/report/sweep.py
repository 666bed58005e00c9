"""What a sweep found: per objective the smallest combination that breaks it; as table and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import Swept
from pinlab.objectives.verdict import Outcome, severity
from pinlab.report.table import COLOURS


class SweepRowJson(TypedDict):
    """An objective over all combinations, and the smallest one that breaks it."""

    design: str
    objective: str
    verdict: str
    operations: list[str]
    state: str | None
    scenario: str | None
    steps: int | None
    states: int | None
    reason: str


class SweepJson(TypedDict):
    """`pinlab sweep --json`."""

    schema: Literal["pinlab.sweep/1"]
    size: int
    base: str | None
    rows: list[SweepRowJson]
    broken: list[SweepRowJson]
    explored: int
    states: int
    cut_off: list[str]
    unexplored: int
    unplayed: int
    skipped: dict[str, int]
    failed: dict[str, int]
    seconds: float
    stopped: str | None


def sweep(found: Sequence[Swept], asked: Sequence[str], base: str | None = None) -> RenderableType:
    """A table per design, and what the figures leave out. `asked` is how each was named."""
    parts = (_design(each, name, base) for each, name in zip(found, asked, strict=False))
    return Group(*(part for each in parts for part in each))


def _design(found: Swept, asked: str, base: str | None) -> Sequence[RenderableType]:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for head in ("objective", "verdict", "operations", "from"):
        table.add_column(head, no_wrap=head == "objective")
    smallest = found.smallest()
    verdicts = found.verdicts()
    for name in sorted(verdicts, key=lambda name: severity(verdicts[name])):
        verdict, it = verdicts[name], smallest.get(name)
        if verdict.outcome is Outcome.HOLDS or name in found.left_out:
            continue
        words = Text(str(verdict), style=COLOURS[verdict.outcome])
        where = ("", "") if it is None else (", ".join(it.operations), it.state)
        table.add_row(name, words, *where)
    holding = [name for name, it in verdicts.items() if it.outcome is Outcome.HOLDS]
    parts: list[RenderableType] = [Text(f"\n{found.design}", style="bold")]
    parts += [table] if table.rows else []
    if holding:
        parts.append(Text(f"Nothing breaks {' '.join(holding)}."))
    if found.left_out and base is not None:
        names = " ".join(name for name in found.objectives if name in found.left_out)
        parts.append(Text(f"Only what {base} breaks in the same way breaks {names}."))
    parts += [Text(line) for line in figures(found)]
    if found.stopped:
        parts.append(Text(f"Stopped early: {found.stopped}.", style="bold yellow"))
    if (first := min(smallest.values(), key=lambda it: it.place, default=None)) is not None:
        parts.append(
            Text(
                f"`pinlab explain {quote(asked)} {first.objective} --scenario "
                f"{quote(first.scenario)}` shows how {first.objective} is violated."
            )
        )
    return parts


def figures(found: Swept) -> Sequence[str]:
    """What was explored and what was not, and what was not asked: a sentence each."""
    said = [
        f"{found.explored:,} combinations of up to {found.size}, {found.states:,} states, "
        f"{found.seconds:,.1f} s"
    ]
    said += [f"{len(found.cut_off):,} cut off"] if found.cut_off else []
    said += [f"{found.unexplored:,} not explored"] if found.unexplored else []
    if found.unplayed:
        said.append(f"in {found.unplayed:,} some operation never came to its point")
    skipped = [f"{times:,} {why}" for why, times in found.skipped.items()]
    return [f"{'; '.join(said)}.", *([f"Not asked: {'; '.join(skipped)}."] if skipped else [])]


def json(found: Sequence[Swept], base: str | None = None) -> SweepJson:
    """The sweep of some designs as "pinlab.sweep/1"."""
    return {
        "schema": "pinlab.sweep/1",
        "size": found[0].size,
        "base": base,
        "rows": [row for each in found for row in _rows(each)],
        "broken": [row for each in found for row in _broken(each)],
        "explored": sum(each.explored for each in found),
        "states": sum(each.states for each in found),
        "cut_off": [name for each in found for name in each.cut_off],
        "unexplored": sum(each.unexplored for each in found),
        "unplayed": sum(each.unplayed for each in found),
        "skipped": _sum([dict(each.skipped) for each in found]),
        "failed": _sum([dict(each.failed) for each in found]),
        "seconds": sum(each.seconds for each in found),
        "stopped": next((each.stopped for each in found if each.stopped), None),
    }


def _rows(found: Swept) -> list[SweepRowJson]:
    smallest = found.smallest()
    rows: list[SweepRowJson] = []
    for name, verdict in found.verdicts().items():
        it = smallest.get(name)
        rows.append(
            {
                "design": found.design,
                "objective": name,
                "verdict": verdict.outcome.value,
                "operations": [] if it is None else list(it.operations),
                "state": None if it is None else it.state,
                "scenario": None if it is None else it.scenario,
                "steps": verdict.steps,
                "states": None if it is None else it.states,
                "reason": verdict.reason,
            }
        )
    return rows


def _broken(found: Swept) -> list[SweepRowJson]:
    """All of them, the smallest first."""
    return [
        {
            "design": it.design,
            "objective": it.objective,
            "verdict": Outcome.VIOLATED.value,
            "operations": list(it.operations),
            "state": it.state,
            "scenario": it.scenario,
            "steps": it.steps,
            "states": it.states,
            "reason": it.how,
        }
        for it in sorted(found.broken, key=lambda it: it.place)
    ]


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for each in counts for name in each)
    return {name: sum(each.get(name, 0) for each in counts) for name in names}
