"""`pinlab litmus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, show, show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN
from pinlab.report import litmus as report


def litmus(
    tests: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Litmus tests in the C of the kernel.", exists=False
        ),
    ],
    max_states: options.MaxStatesOption = None,
    json: options.JsonOption = False,
) -> int:
    """Say whether what a litmus test asks for can be, under each memory model.

    Its condition is fulfilled by some run (sometimes), by each (always), or by none (never). Status
    3 if an exploration was cut off before it could say.
    """
    if json and len(tests) > 1:
        raise UsageError("--json gives the answer to one test: give one file")
    found = []
    with doing("preparing") as tell:
        for path in tests:
            tell(path.name)
            found.append(lab().litmus(path, max_states))
    if json:
        show_json(report.json(found[0]))
    else:
        show(report.table(found))
    unknown = any(answer.possible is None for each in found for answer in each.answers)
    return EXIT_UNKNOWN if unknown else EXIT_HOLDS
