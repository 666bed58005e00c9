"""`pinlab check`."""

from __future__ import annotations

from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import progress, show, show_json
from pinlab.objectives.verdict import EXIT_UNKNOWN
from pinlab.report import answer, schema, table


def check(
    design: options.DesignArgument,
    objective: options.ObjectiveOption = None,
    scenario: options.ScenarioOption = None,
    coverage: Annotated[
        bool,
        typer.Option("--coverage", help="List the lines of model and design never executed."),
    ] = False,
    all_rows: Annotated[
        bool,
        typer.Option("--all", help="One row per objective and scenario, and their bounds."),
    ] = False,
    max_states: options.MaxStatesOption = None,
    timeout: options.TimeoutOption = None,
    memory: options.MemoryOption = None,
    engine: options.EngineOption = options.Engine.auto,
    verbose: options.VerboseOption = False,
    json: options.JsonOption = False,
) -> int:
    """Check one design: one row per objective, worst first, with the scenario that decides it."""
    limits = options.limits(max_states, timeout, memory)
    objectives = tuple(map(options.known_objective, objective)) if objective else None
    scenarios = tuple(map(options.known_scenario, scenario)) if scenario else None
    subject = lab().load_design(design)
    with progress(verbose) as on_progress:
        result = lab().check(
            subject,
            scenarios,
            objectives,
            limits=limits,
            engine=engine.value,
            coverage=coverage,
            on_progress=on_progress,
        )
    if json:
        show_json(schema.check(result))
    else:
        show(table.check(result, design) if all_rows else answer.answer(result, design))
    return EXIT_UNKNOWN if result.stopped else result.verdict.exit_status
