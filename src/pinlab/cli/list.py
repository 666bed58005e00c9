"""`pinlab list`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pinlab import objectives
from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import show, show_json
from pinlab.lab.results import Info
from pinlab.objectives.progress import Progress
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report import schema, table


class What(StrEnum):
    """The lists there are."""

    designs = "designs"
    scenarios = "scenarios"
    objectives = "objectives"


def list_(
    what: Annotated[What | None, typer.Argument(help="Only this list.", show_default="all")] = None,
    json: options.JsonOption = False,
) -> int:
    """List designs, scenarios and objectives."""
    sources = {
        What.designs: lambda: lab().designs(),
        What.scenarios: lambda: lab().scenarios(),
        What.objectives: objective_infos,
    }
    lists = {kind.value: sources[kind]() for kind in ([what] if what else What)}
    if json:
        show_json(schema.listing(lists))
    else:
        for kind, infos in lists.items():
            show(table.listing(kind, infos))
    return EXIT_HOLDS


def objective_infos() -> tuple[Info, ...]:
    """The objectives as a list to choose from."""
    return tuple(
        Info(
            name,
            objective.claim,
            "progress" if isinstance(objective, Progress) else "safety",
        )
        for name, objective in objectives.load().items()
    )
