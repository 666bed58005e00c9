"""`pinlab show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import show as print_
from pinlab.cli._show import show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report import functions as report
from pinlab.report import schema


def _functions(context: typer.Context, incomplete: str) -> list[str]:
    home = lab().load_world(context.params.get("world"))
    return [each.name for each in lab().functions(home) if each.name.startswith(incomplete)]


def show(
    function: Annotated[
        str | None,
        typer.Argument(
            help="A function of the model; without one all are listed, by kernel file.",
            show_default=False,
            autocompletion=_functions,
        ),
    ] = None,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print a file that replaces it, to be changed.")
    ] = False,
    touched: Annotated[
        Path | None,
        typer.Option(
            "--touched",
            metavar="DIFF",
            help="The model's functions for those of C that a unified diff touches.",
            show_default=False,
        ),
    ] = None,
    world: options.WorldOption = None,
    json: options.JsonOption = False,
) -> int:
    """Show functions of the model: source, kernel source, callers, scenarios, designs."""
    if touched is not None and (function is not None or patch):
        raise UsageError("--touched asks about a diff: give no function and no --patch with it")
    if patch and (function is None or json):
        raise UsageError("--patch prints a file for one function: name it, and leave --json out")
    home = lab().load_world(world)
    if touched is not None:
        found = lab().touched(touched, home)
        if json:
            show_json(schema.touched(found))
        else:
            print_(report.touched(found, world))
    elif function is None:
        every = lab().functions(home)
        if json:
            show_json(schema.functions(every))
        else:
            print_(report.listing(every, world))
    elif patch:
        print(lab().patch(function, home), end="")
    elif json:
        show_json(schema.functions([lab().function(function, home)]))
    else:
        print_(report.function(lab().function(function, home), world))
    return EXIT_HOLDS
