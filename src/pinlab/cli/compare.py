"""`pinlab compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._cluster import cluster
from pinlab.cli._lab import lab
from pinlab.cli._show import progress, show, show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_UNKNOWN, exit_status
from pinlab.report import schema, table


def compare(
    designs: options.DesignsArgument = None,
    world: options.WorldOption = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes at a time.", show_default="cores"),
    ] = None,
    ray: options.RayOption = None,
    max_states: options.MaxStatesOption = None,
    timeout: options.TimeoutOption = None,
    memory: options.MemoryOption = None,
    memory_model: options.MemoryModelOption = options.MemoryModel.sc,
    verbose: options.VerboseOption = False,
    json: options.JsonOption = False,
) -> int:
    """Check every design against every objective, and count what each costs.

    As some designs are known to break, expect status 1; 3 if nothing is violated but something
    is unknown, or if it was stopped.
    """
    if designs and world is not None:
        raise UsageError("--world says whose designs are compared if none is named: leave it out")
    limits = options.limits(max_states, timeout, memory)
    home = lab().load_world(world)
    with progress(verbose) as on_progress, cluster("compare", ray, jobs) as there:
        comparison = lab().compare(
            tuple(designs) if designs else None,
            world=home,
            limits=limits,
            jobs=jobs,
            memory_model=memory_model.value,
            on_progress=on_progress,
            **({} if there is None else {"there": there}),
        )
    if json:
        show_json(schema.compare(comparison))
    else:
        show(table.compare(comparison))
    if comparison.stopped:
        return EXIT_UNKNOWN
    return exit_status(row.verdict for row in comparison.rows)
