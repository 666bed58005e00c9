"""`pinlab list`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import show, show_json
from pinlab.errors import UsageError
from pinlab.lab.results import Info
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report import schema, table


class What(StrEnum):
    """The lists there are."""

    designs = "designs"
    scenarios = "scenarios"
    objectives = "objectives"
    operations = "operations"
    states = "states"


def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[designs|scenarios|objectives|operations|states|DESIGN]",
            help="Only this list, or what a design, by name or file, replaces and brings.",
            show_default="the first three lists",
            autocompletion=lambda: [kind.value for kind in What],
        ),
    ] = None,
    json: options.JsonOption = False,
) -> int:
    """List designs, scenarios and objectives, or what one design replaces and brings."""
    lists = _brought(what) if what is not None and what not in SOURCES else _known(what)
    if json:
        show_json(schema.listing(lists))
    else:
        for kind, infos in lists.items():
            if infos:
                show(table.listing(kind, infos))
        if not any(lists.values()):
            typer.echo(f"{what} replaces and brings nothing: it is the model as it is.")
    return EXIT_HOLDS


SOURCES: Mapping[str, Callable[[], tuple[Info, ...]]] = {
    What.designs: lambda: lab().designs(),
    What.scenarios: lambda: lab().scenarios(),
    What.objectives: lambda: tuple(map(Info.of, lab().objectives().values())),
    What.operations: lambda: lab().operations(),
    What.states: lambda: lab().states(),
}

USUAL = (What.designs, What.scenarios, What.objectives)


def _known(what: str | None) -> Mapping[str, tuple[Info, ...]]:
    return {kind: SOURCES[kind]() for kind in ([what] if what else USUAL)}


def _brought(what: str) -> Mapping[str, tuple[Info, ...]]:
    """What the design `what` brings. Raises UsageError, also for a misspelt list."""
    if near := difflib.get_close_matches(what, SOURCES, 1, 0.8):
        raise UsageError(f"there is no list {what!r}: did you mean {near[0]}?")
    subject = lab().load_design(what)
    return lab().brought(subject)
