"""Tables: designs beside objectives, one design in detail, what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import CheckResult, Comparison, Cost, Info, Line, Row
from pinlab.objectives import order
from pinlab.objectives.verdict import Outcome, Verdict, worst
from pinlab.report.fit import Column, in_blocks

COLOURS = {
    Outcome.HOLDS: "green",
    Outcome.VIOLATED: "red",
    Outcome.UNKNOWN: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
}

UNITS = {
    "atomic_rmw": "rmw",
    "locks": "lock",
    "allocations": "alloc",
    "page_table_walks": "walk",
}
"""How the kinds of `Cost.pin` and `Cost.unpin` are written in a narrow column."""

LEGEND = (
    "holds: no violation in any state of any scenario, within the bounds below. "
    "✗ N: violated, the shortest counterexample takes N steps (0: lost from the first state). "
    "?: unknown, not everything was explored. -: no scenario asks."
)


def cell(verdict: Verdict | None) -> Text:
    """A verdict in as few letters as a table of many columns has."""
    if verdict is None:
        return Text("-", style="dim")
    words = {Outcome.HOLDS: "holds", Outcome.VIOLATED: f"✗ {verdict.steps}"}
    return Text(words.get(verdict.outcome, "?"), style=COLOURS[verdict.outcome])


def compare(comparison: Comparison) -> RenderableType:
    """`pinlab compare`: verdicts, costs, and the bounds of every *holds*."""
    parts: list[RenderableType] = [
        _verdicts(comparison.rows),
        Text(LEGEND),
        Text(),
        _costs(comparison),
        _bounds(comparison.rows),
    ]
    parts += _unknowns(comparison.rows)
    if comparison.stopped:
        parts.append(Text(f"Stopped early: {comparison.stopped}.", style="bold yellow"))
    return Group(*parts)


def _verdicts(rows: Iterable[Row]) -> RenderableType:
    rows = tuple(rows)
    own = _by_design(rows)
    verdicts: dict[tuple[str, str], list[Verdict]] = {}
    for row in rows:
        verdicts.setdefault((row.design, row.objective), []).append(row.verdict)
    worsts = {key: worst(several) for key, several in verdicts.items()}
    objectives = sorted({row.objective for row in rows}, key=order)
    columns = [
        Column(name, tuple(cell(worsts.get((design, name))) for design in own))
        for name in objectives
    ]
    return in_blocks(_names("design", own), columns)


def _names(heading: str, names: Iterable[str]) -> Column:
    return Column(heading, tuple(map(Text, names)))


def _costs(comparison: Comparison) -> RenderableType:
    costs = {cost.design: cost for cost in comparison.costs}
    own = _by_design(comparison.rows)
    designs = tuple(dict.fromkeys((*own, *costs)))
    headings = ("pin", "unpin", "struct page", "GUP-fast", "unpin in IRQ")
    cells = zip(*(_cost_cells(costs.get(design)) for design in designs), strict=True)
    columns = [_names(*column) for column in zip(headings, cells, strict=bool(designs))]
    work = [explored(own.get(design, ())) for design in designs]
    states = tuple(Text(f"{states:,}") for states, _ in work)
    seconds = tuple(Text(f"{seconds:.1f}") for _, seconds in work)
    columns += [Column("states", states, "right"), Column("seconds", seconds, "right")]
    return in_blocks(_names("design", designs), columns)


def _cost_cells(cost: Cost | None) -> tuple[str, str, str, str, str]:
    if cost is None:
        return ("?",) * 5
    yes = {True: "yes", False: "no", None: "?"}
    return (
        counted(cost.pin),
        counted(cost.unpin),
        f"+{cost.struct_page_bytes} B",
        yes[cost.gup_fast],
        yes[cost.irq_unpin],
    )


def counted(counts: Mapping[str, int]) -> str:
    """What one call costs: "2 rmw, 1 lock"."""
    words = [f"{n} {UNITS.get(kind, kind)}" for kind, n in counts.items() if n]
    return ", ".join(words) or "0"


def explored(rows: Iterable[Row]) -> tuple[int, float]:
    """States and seconds of some rows; rows of one exploration share it and count once."""
    once = {(row.design, row.scenario, row.states, row.seconds) for row in rows}
    return sum(states for _, _, states, _ in once), sum(seconds for *_, seconds in once)


def _bounds(rows: Iterable[Row]) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("scenario", no_wrap=True)
    table.add_column("bounds of its verdicts")
    bounds: dict[str, dict[str, None]] = {}
    for row in rows:
        bounds.setdefault(row.scenario, {})[row.bounds or "none stated"] = None
    for scenario, texts in bounds.items():
        table.add_row(scenario, common(tuple(texts)))
    return table


def common(texts: tuple[str, ...]) -> str:
    """What all texts begin with, up to a comma; all of them if they have nothing in common.

    The bounds of one scenario differ between designs in their figures, which come last.
    """
    parts = [text.split(", ") for text in texts]
    shared = [first for first, *others in zip(*parts, strict=False) if set(others) <= {first}]
    if shared and all(text.startswith(", ".join(shared)) for text in texts):
        return ", ".join(shared)
    return "; or ".join(texts)


def _unknowns(rows: Iterable[Row]) -> list[RenderableType]:
    unknown: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.verdict.outcome in (Outcome.UNKNOWN, Outcome.INCONCLUSIVE):
            unknown.setdefault((row.design, row.scenario, row.reason), []).append(row.objective)
    return [
        Text(f"? {design}, {scenario}, {' '.join(objectives)}: {reason}", style="yellow")
        for (design, scenario, reason), objectives in unknown.items()
    ]


def check(result: CheckResult, asked: str | None = None) -> RenderableType:
    """`pinlab check --all`: one line per objective and scenario, and the bounds of each.

    `asked` is how the design was named.
    """
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("objective", no_wrap=True)
    table.add_column("scenario", no_wrap=True)
    table.add_column("verdict")
    table.add_column("states", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for row in sorted(result.rows, key=lambda row: order(row.objective)):
        words = "holds" if row.verdict.outcome is Outcome.HOLDS else str(row.verdict)
        table.add_row(
            row.objective,
            row.scenario,
            Text(words, style=COLOURS[row.verdict.outcome]),
            f"{row.states:,}",
            f"{row.seconds:.2f}",
        )
    parts: list[RenderableType] = [table, _bounds(result.rows)]
    overall = result.verdict
    violated = next((row for row in result.rows if row.verdict == overall), None)
    if overall.outcome is Outcome.VIOLATED and violated is not None:
        words = f"`pinlab explain {asked or result.design} {violated.objective}` shows how."
        parts.append(Text(words, style="bold"))
    if result.uncovered is not None:
        parts.append(coverage(result.uncovered))
    if result.stopped:
        parts.append(Text(f"Stopped early: {result.stopped}.", style="bold yellow"))
    return Group(*parts)


def coverage(lines: Iterable[Line]) -> RenderableType:
    """The lines that no exploration executed."""
    lines = tuple(lines)
    if not lines:
        return Text("Every line of model and design was executed.")
    count = "1 line was" if len(lines) == 1 else f"{len(lines)} lines were"
    texts = [Text(f"{count} never executed:")]
    texts += [Text(f"  {at.file}:{at.line}: {at.function}: {at.source.strip()}") for at in lines]
    return Group(*texts)


def listing(title: str, infos: Iterable[Info]) -> RenderableType:
    """`pinlab list`: names with one line each."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(title, no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("what it is")
    for info in infos:
        table.add_row(info.name, info.kind, info.summary)
    return table


def _by_design(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.design, []).append(row)
    return found
