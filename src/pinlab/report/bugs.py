"""The corpus of known bugs: as table, one by one, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from pinlab.lab.bug import Replaced, Reproduced, Side, Source
from pinlab.lab.results import First
from pinlab.objectives.verdict import Outcome
from pinlab.report import chart
from pinlab.report.table import COLOURS


class BuggyJson(TypedDict):
    """A bug's operations, with the bug."""

    verdict: str
    steps: int | None
    states: int
    reason: str


class FixedJson(TypedDict):
    """The same without it."""

    verdict: str
    states: int
    reason: str


class SearchJson(TypedDict):
    """What a search finds that is told the changed functions alone."""

    found: bool | None
    size: int
    explorations: int
    states: int
    objective: str | None
    scenario: str | None
    cut_off: list[str]
    reason: str


class BugJson(TypedDict):
    """One bug."""

    bug: str
    title: str
    fixed_by: str
    versions: str
    cve: str
    objective: str
    operations: str
    state: str
    mended_by: str
    buggy: BuggyJson
    fixed: FixedJson
    sweep: SearchJson


class BugsJson(TypedDict):
    """`pinlab bugs --json`."""

    schema: Literal["pinlab.bugs/1"]
    bugs: list[BugJson]
    stopped: str | None


def table(found: Sequence[Reproduced]) -> RenderableType:
    """A line per bug, and below it what is not known."""
    rows = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for head in ("bug", "title", "objective", "with it", "without it", "by search"):
        rows.add_column(head, no_wrap=head == "bug")
    for it in found:
        number, title, objective, buggy, fixed, search = cells(it)
        rows.add_row(
            number,
            title,
            objective,
            Text(buggy, style=COLOURS[it.buggy.verdict.outcome]),
            Text(fixed, style=COLOURS[it.fixed.verdict.outcome]),
            search,
        )
    parts: list[RenderableType] = [rows]
    parts += [Text(line, style="yellow") for it in found for line in _open(it)]
    if stopped := _stopped(found):
        parts.append(Text(f"Stopped early: {stopped}.", style="bold yellow"))
    parts.append(Text("`pinlab bugs NUMBER` tells the story of one."))
    return Group(*parts)


def cells(it: Reproduced) -> tuple[str, str, str, str, str, str]:
    """A bug's line in the table."""
    bug, steps = it.bug, it.buggy.verdict.steps
    broken = "" if steps is None else f"violated in {steps} steps, {it.buggy.states:,} states"
    return (
        bug.number,
        bug.title,
        bug.objective,
        broken or _side(it.buggy),
        _side(it.fixed),
        _search(it.search),
    )


def one(it: Reproduced) -> RenderableType:
    """The story of one bug: what goes wrong, in which lines, step by step."""
    bug = it.bug
    facts = {
        "fixed by": bug.fixed_by,
        "versions": bug.versions,
        "CVE": bug.cve,
        "played": f"{bug.operations} from {bug.state}, in the world of {it.world}",
        "with it": cells(it)[3],
        "without it": cells(it)[4],
        "by search": _sentence(it.search),
    }
    parts: list[RenderableType] = [
        Text(f"{bug.number}  {bug.title}", style="bold"),
        Text(f"\n{it.story}\n"),
        *(Text.assemble((f"{name}: ", "bold"), said) for name, said in facts.items() if said),
    ]
    parts += [Text(line, style="yellow") for line in _open(it)]
    parts += [_Beside(each) for each in it.replaced]
    if it.trace is not None:
        parts += [Text(), chart.chart(it.trace())]
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Beside:
    """A function with the bug and without it, side by side where there is room for both."""

    it: Replaced

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        buggy = _code(f"{self.it.name}() with the bug", self.it.buggy)
        fixed = _code(f"{self.it.name}() without it", self.it.fixed)
        widths = [
            max(map(len, each.text.splitlines())) + NUMBERS
            for each in (self.it.buggy, self.it.fixed)
        ]
        if sum(widths) > options.max_width:
            yield Group(buggy, fixed)
        else:
            both = Table.grid()
            for width in widths:
                both.add_column(width=width)
            both.add_row(buggy, fixed)
            yield both


NUMBERS = 8
"""The columns that line numbers take, with what is left free."""


def _code(title: str, it: Source) -> RenderableType:
    return Group(
        Text(f"\n{title}, {it.file}:{it.first}", style="bold"),
        Syntax(
            it.text,
            "python",
            line_numbers=True,
            start_line=it.first,
            background_color="default",
            theme="ansi_dark",
        ),
    )


def _side(it: Side) -> str:
    return f"{it.verdict.outcome.value}, {it.states:,} states"


def _search(it: First) -> str:
    counted = f"{it.explored:,} explorations"
    if it.broken is None:
        return f"unknown, {counted}" if it.found is None else f"not found, {counted}"
    own = f"{it.broken.objective} at size {it.size}"
    return f"{own}, {counted}, {len(it.cut_off):,} cut off" if it.cut_off else f"{own}, {counted}"


def _sentence(it: First) -> str:
    if it.broken is None:
        return _search(it)
    where = f"{', '.join(it.broken.operations)} from {it.broken.state}"
    return f"{_search(it)}: {where} violates it in {it.broken.steps} steps"


def _open(it: Reproduced) -> Iterable[str]:
    """What is not known of a bug, and why."""
    for name, side in (("with it", it.buggy), ("without it", it.fixed)):
        if side.verdict.outcome not in (Outcome.HOLDS, Outcome.VIOLATED):
            yield f"? {it.bug.number} {name}: {side.verdict.reason}"
    if it.search.missing:
        yield f"? {it.bug.number} by search: {it.search.missing}"


def _stopped(found: Iterable[Reproduced]) -> str | None:
    return next((it.stopped for it in found if it.stopped), None)


def json(found: Sequence[Reproduced]) -> BugsJson:
    """The bugs as "pinlab.bugs/1"."""
    return {
        "schema": "pinlab.bugs/1",
        "bugs": [_json(it) for it in found],
        "stopped": _stopped(found),
    }


def _json(it: Reproduced) -> BugJson:
    bug, buggy, fixed, search = it.bug, it.buggy.verdict, it.fixed.verdict, it.search
    return {
        "bug": bug.number,
        "title": bug.title,
        "fixed_by": bug.fixed_by,
        "versions": bug.versions,
        "cve": bug.cve,
        "objective": bug.objective,
        "operations": bug.operations,
        "state": bug.state,
        "mended_by": bug.mended_by,
        "buggy": {
            "verdict": buggy.outcome.value,
            "steps": buggy.steps,
            "states": it.buggy.states,
            "reason": buggy.reason,
        },
        "fixed": {
            "verdict": fixed.outcome.value,
            "states": it.fixed.states,
            "reason": fixed.reason,
        },
        "sweep": {
            "found": search.found,
            "size": search.size,
            "explorations": search.explored,
            "states": search.states,
            "objective": None if search.broken is None else search.broken.objective,
            "scenario": None if search.broken is None else search.broken.scenario,
            "cut_off": list(search.cut_off),
            "reason": search.missing,
        },
    }
