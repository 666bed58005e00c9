"""What notices mutants of the model: by function, those that survive, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.mutants.results import EQUIVALENT, KILLED, SURVIVED, UNKNOWN, Score, Scored
from pinlab.report import units


class KillJson(TypedDict):
    """What notices a mutant."""

    design: str
    operations: list[str]
    state: str
    what: str


class MutantJson(TypedDict):
    """A mutant, and what became of it."""

    function: str
    file: str
    line: int
    kind: str
    what: str
    status: str
    by: KillJson | None
    why: str


class MutantsJson(TypedDict):
    """`pinlab mutate --json`."""

    schema: Literal["pinlab.mutants/1"]
    world: str
    design: str
    killed: int
    survived: int
    equivalent: int
    unknown: int
    mutants: list[MutantJson]
    seconds: float
    stopped: str | None


def table(found: Score, each: bool = False) -> RenderableType:
    """A line per function, those that survive, and the score; with `each` a line per mutant. Of
    what was not hunted because somebody stopped it there is a number and no more."""
    known = replace(found, mutants=tuple(it for it in found.mutants if it.status != UNKNOWN))
    shown = known if found.stopped else found
    parts: list[RenderableType] = [_each(shown) if each else _functions(shown)]
    survivors = [it for it in found.mutants if it.status == SURVIVED]
    if survivors and not each:
        parts += [Text("Nothing notices", style="bold"), *map(_survivor, survivors)]
    parts += [Text(line) for line in _figures(found)]
    if found.stopped:
        parts.append(Text(f"Stopped early: {found.stopped}.", style="bold yellow"))
    return Group(*parts)


def _functions(found: Score) -> Table:
    rows = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    rows.add_column("function")
    for head in ("mutants", KILLED, SURVIVED, EQUIVALENT):
        rows.add_column(head, justify="right")
    for name in dict.fromkeys(it.function for it in found.mutants):
        own = [it.status for it in found.mutants if it.function == name]
        counts = (own.count(status) for status in (KILLED, SURVIVED, EQUIVALENT))
        rows.add_row(name, str(len(own)), *(str(count or "") for count in counts))
    return rows


def _each(found: Score) -> Table:
    rows = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for head in ("function", "line", "kind", "what", "status", "by"):
        rows.add_column(head)
    for it in found.mutants:
        rows.add_row(
            it.function,
            str(it.line),
            it.kind,
            Text(it.what),
            it.status,
            Text(_by(it, found.design)),
        )
    return rows


def _by(it: Scored, home: str) -> str:
    """Who notices it, where if not in the design that it is of; or what is known instead."""
    if it.by is None:
        return it.why
    design = "" if it.by.design == home else f" ({it.by.design})"
    return f"{', '.join(it.by.operations)} from {it.by.state}: {it.by.what}{design}"


def _survivor(it: Scored) -> Text:
    return Text(f"  {it.file}:{it.line}: {it.kind}: {it.what} ({it.why})")


def _figures(found: Score) -> Iterator[str]:
    counts = found.counts
    said = (
        f"{units.counted(len(found.mutants), 'mutant')}: {counts[KILLED]:,} killed, "
        f"{counts[SURVIVED]:,} survived"
    )
    said += f", {counts[EQUIVALENT]:,} equivalent" if counts[EQUIVALENT] else ""
    said += f", {counts[UNKNOWN]:,} not hunted yet" if counts[UNKNOWN] else ""
    if found.share is not None:
        said += f"; {found.share:.1%} of those that are not equivalent are killed"
    yield f"{said}. {found.seconds:,.1f} s"


def json(found: Score) -> MutantsJson:
    """The score as "pinlab.mutants/1"."""
    counts = found.counts
    return {
        "schema": "pinlab.mutants/1",
        "world": found.world,
        "design": found.design,
        "killed": counts[KILLED],
        "survived": counts[SURVIVED],
        "equivalent": counts[EQUIVALENT],
        "unknown": counts[UNKNOWN],
        "mutants": [_mutant(it) for it in found.mutants],
        "seconds": found.seconds,
        "stopped": found.stopped,
    }


def _mutant(it: Scored) -> MutantJson:
    by: KillJson | None = None
    if it.by is not None:
        by = {
            "design": it.by.design,
            "operations": list(it.by.operations),
            "state": it.by.state,
            "what": it.by.what,
        }
    return {
        "function": it.function,
        "file": it.file,
        "line": it.line,
        "kind": it.kind,
        "what": it.what,
        "status": it.status,
        "by": by,
        "why": it.why,
    }
