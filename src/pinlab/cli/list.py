"""`pinlab list`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

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
    world: options.WorldOption = None,
    json: options.JsonOption = False,
) -> int:
    """List designs, scenarios and objectives, or what one design replaces and brings."""
    if what is None or what in SOURCES:
        lists = _known(what, lab().load_world(world))
        nothing = f"The world {world} has no {what} yet."
    else:
        lists = _brought(what, world)
        nothing = f"{what} replaces and brings nothing: it is the model as it is."
    if json:
        show_json(schema.listing(lists))
    else:
        for kind, infos in lists.items():
            if infos:
                show(table.listing(kind, infos))
        if not any(lists.values()):
            typer.echo(nothing)
    return EXIT_HOLDS


SOURCES: Mapping[str, Callable[[Any], tuple[Info, ...]]] = {
    What.designs: lambda world: lab().designs(world),
    What.scenarios: lambda world: lab().scenarios(world),
    What.objectives: lambda _: tuple(map(Info.of, lab().objectives().values())),
    What.operations: lambda world: lab().operations(world),
    What.states: lambda world: lab().states(world),
}
"""Each list, of a world; the objectives are the same in all."""

USUAL = (What.designs, What.scenarios, What.objectives)


def _known(what: str | None, world: Any) -> Mapping[str, tuple[Info, ...]]:
    return {kind: SOURCES[kind](world) for kind in ([what] if what else USUAL)}


def _brought(what: str, world: str | None) -> Mapping[str, tuple[Info, ...]]:
    """What the design `what` brings. Raises UsageError, also for a misspelt list."""
    if near := difflib.get_close_matches(what, SOURCES, 1, 0.8):
        raise UsageError(f"there is no list {what!r}: did you mean {near[0]}?")
    subject = lab().load_design(what)
    if world is not None:
        raise UsageError(f"{what} says by itself of which world it is: leave --world out")
    return lab().brought(subject)
