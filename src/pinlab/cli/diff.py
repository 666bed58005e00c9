"""`pinlab diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab import output
from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.cli.census import LIMIT
from pinlab.errors import UsageError
from pinlab.field.census.diff import diff as compare
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_VIOLATED
from pinlab.report import census_schema as schema
from pinlab.report import census_table as table
from pinlab.report.held import page as held
from pinlab.report.held import sheets
from pinlab.report.units import counted


def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A census saved first.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="One saved later.")],
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many folios; 0 shows all.")
    ] = LIMIT,
    page: options.OutputOption = None,
    json: options.JsonOption = False,
) -> int:
    """Compare two saved censuses: pins that are new, gone, grown; how a leak is found.

    Status 0 if nothing changed, 1 if something did.
    """
    options.require_page(page, json)
    from pinlab.field.census import snapshot

    difference = compare(snapshot.load(before), snapshot.load(after))
    if difference.comparable and difference.after.census.taken < difference.before.census.taken:
        raise UsageError(f"{after} was taken before {before}: name the earlier one first")
    if page is not None:
        output.write_text(page, held.html(sheets.diff(difference)))
        typer.echo(f"{page}: {counted(len(difference.groups), 'group')} changed")
    elif json:
        show_json(schema.diff(difference))
    else:
        show(table.diff(difference, limit=limit))
    return EXIT_VIOLATED if difference else EXIT_HOLDS
