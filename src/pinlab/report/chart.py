"""A counterexample as a chart: one column per CPU or device, one row per step.

Two forms of one trace. On a terminal each actor has a column of its own. For a message every
line has at most 72 columns of plain ASCII: an actor has a *lane*, and what it does starts in
its lane and may run to the right margin, since in that row no other actor does anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import SC, Trace, TraceStep, Way
from pinlab.objectives.verdict import Outcome

MAIL_WIDTH = 72
_NUMBER = 5  # columns of the step number in a mail
_TEXT = 40  # columns that a step's text has at least, if there are not too many actors


def headline(trace: Trace) -> str:
    """One line: what breaks, where, in how many steps, and under which weak memory model."""
    under = "" if trace.memory_model == SC else f" under {trace.memory_model}"
    verb = "breaks" if trace.outcome is Outcome.VIOLATED else "did not break, on replay,"
    steps = f"{len(trace.steps)} step" + ("" if len(trace.steps) == 1 else "s")
    where = f"in {steps}" if trace.steps else "from the first state"
    return f"{trace.design} {verb} {trace.objective} {where} of {trace.scenario}{under}"


def chart(trace: Trace) -> RenderableType:
    """The chart for a terminal."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_lines=False)
    table.add_column("", justify="right", no_wrap=True, style="dim")
    for actor in trace.actors:
        table.add_column(actor, overflow="fold", ratio=1)
    for step, entered in _steps(trace):
        cells = [Text() for _ in trace.actors]
        cells[trace.actors.index(step.actor)] = _cell(step, entered)
        table.add_row(str(step.number), *cells)
    parts: list[RenderableType] = [
        Text(headline(trace), style="bold"),
        Text(f"{trace.objective}: {trace.claim}"),
        table,
    ]
    if trace.message:
        parts.append(Text(trace.message, style="bold red"))
    return Group(*parts)


def other_ways(ways: Sequence[Way], way: int) -> str:
    """A sentence on the ways that are not shown; "" if there is only the one."""
    if len(ways) < 2:
        return ""
    shown = f"This is way {way} of {len(ways)}."
    if way == len(ways):
        return f"{shown} `--way 1` shows the shortest."
    following = ways[way]
    where = f"in {following.function}()" if following.function else "where nobody can go on"
    steps = f"{following.steps} steps of {following.scenario}"
    return f"{shown} The next one takes {steps} and ends {where}: `--way {way + 1}`."


def _cell(step: TraceStep, entered: bool) -> Text:
    text = Text()
    if entered:
        text.append(f"{step.function}  {_where(step)}\n", style="cyan")
    text.append(step.source.strip())
    for read in _reads(step):
        text.append(f"\n  {read}", style="green")
    for change in _changes(step):
        text.append(f"\n  {change}", style="yellow")
    for note in step.notes:
        text.append(f"\n  ~ {note}", style="dim")
    for event in _events(step):
        text.append(f"\n  {event}", style="bold magenta")
    return text


def mail(trace: Trace) -> str:
    """The chart for a message: at most 72 columns of plain ASCII."""
    stride = _stride(len(trace.actors))
    lines = _wrap(headline(trace), 0)
    lines += _wrap(f"{trace.objective}: {trace.claim}", 0, hang=len(trace.objective) + 2)
    lines.append("")
    for i, actor in enumerate(trace.actors):
        lines.append(_lanes(" " * _NUMBER, i, stride) + actor)
    lines.append(_lanes(" " * _NUMBER, len(trace.actors), stride))
    for step, entered in _steps(trace):
        lane = trace.actors.index(step.actor)
        number = f"{step.number:>{_NUMBER - 2}}  "
        text: list[str] = []
        start = _NUMBER + lane * stride
        if entered:
            text += _wrap(f"{step.function}()  {_where(step)}", start)
        text += _wrap(step.source.strip(), start + 2)
        notes = (f"~ {note}" for note in step.notes)
        for line in (*_reads(step), *_changes(step), *notes, *_events(step)):
            text += _wrap(line, start + 4, hang=2)
        for i, line in enumerate(text):
            lanes = _lanes(number if i == 0 else " " * _NUMBER, lane, stride)
            lines.append(lanes + line[start:])
    if trace.message:
        lines += ["", *_wrap(trace.message, 0)]
    return "\n".join(_ascii(line).rstrip()[:MAIL_WIDTH] for line in lines) + "\n"


def _stride(actors: int) -> int:
    room = MAIL_WIDTH - _NUMBER - _TEXT
    return max(2, min(8, room // max(1, actors - 1)))


def _lanes(head: str, count: int, stride: int) -> str:
    return head + "|".ljust(stride) * count


def _wrap(text: str, start: int, hang: int = 2) -> list[str]:
    """`text` in lines that begin at column `start`, all within a mail."""
    start = min(start, MAIL_WIDTH - 20)
    return textwrap.wrap(
        _ascii(text),
        MAIL_WIDTH,
        initial_indent=" " * start,
        subsequent_indent=" " * (start + hang),
    )


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _steps(trace: Trace) -> Iterator[tuple[TraceStep, bool]]:
    """Each step, and whether its actor is now in another function than at its last step."""
    inside: dict[str, tuple[str, str]] = {}
    for step in trace.steps:
        here = (step.file, step.function)
        yield step, inside.get(step.actor) != here
        inside[step.actor] = here


def _where(step: TraceStep) -> str:
    return f"{step.file.rpartition('/')[2]}:{step.line}"


def _reads(step: TraceStep) -> list[str]:
    return [f"reads {name} = {value}" for name, value in step.reads]


def _changes(step: TraceStep) -> list[str]:
    return [f"{name}: {old} -> {new}" for name, old, new in step.changes]


def _events(step: TraceStep) -> list[str]:
    return [f"* {event}, page {page}" for event, page in step.events]
