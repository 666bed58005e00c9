"""`pinlab bugs`."""

from __future__ import annotations

from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import corpus
from pinlab.cli._show import doing, show, show_json
from pinlab.lab.bug import Reproduced
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import bugs as report


def bugs(
    number: Annotated[
        str | None,
        typer.Argument(metavar="NUMBER", help="One bug, and its story.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes at a time.", show_default="cores"),
    ] = None,
    max_states: options.MaxStatesOption = None,
    json: options.JsonOption = False,
) -> int:
    """Play known bugs of the kernel with and without them, and look for each without being told.

    Status 0 if each is violated with the bug, holds without it and is found by the search.
    """
    limits = options.limits(max_states, None, None)
    chosen = list(corpus().bugs().values()) if number is None else [corpus().bug(number)]
    found: list[Reproduced] = []
    with doing("preparing") as tell:
        for bug in chosen:
            found.append(corpus().reproduce(bug, limits=limits, jobs=jobs, tell=tell))
            if found[-1].stopped:
                break
    if json:
        show_json(report.json(found))
    elif number is None:
        show(report.table(found))
    else:
        show(report.one(found[0]))
    if found[-1].stopped:
        return EXIT_UNKNOWN
    statuses = {it.exit_status for it in found}
    return next(each for each in (EXIT_VIOLATED, EXIT_UNKNOWN, EXIT_HOLDS) if each in statuses)
