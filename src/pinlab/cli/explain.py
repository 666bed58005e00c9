"""`pinlab explain`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pinlab import objectives
from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import progress, show, show_json, write
from pinlab.errors import UsageError
from pinlab.lab.results import CheckResult, Trace
from pinlab.objectives.verdict import EXIT_UNKNOWN, EXIT_VIOLATED, Outcome
from pinlab.report import chart, replay, schema
from pinlab.report.timeline import counterexample, page


def explain(
    design: options.DesignArgument,
    objective: options.ObjectiveArgument,
    scenario: options.ScenarioOption = None,
    mail: Annotated[
        bool, typer.Option("--mail", help="72 columns of plain ASCII, to paste into a message.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write FILE.py, a test that replays the counterexample under pytest, "
            "or FILE.html, a chart to zoom.",
            show_default=False,
        ),
    ] = None,
    max_states: options.MaxStatesOption = None,
    timeout: options.TimeoutOption = None,
    memory: options.MemoryOption = None,
    engine: options.EngineOption = options.Engine.auto,
    json: options.JsonOption = False,
) -> int:
    """Show the shortest counterexample step by step: who read and changed what on which line."""
    limits = options.limits(max_states, timeout, memory)
    name = options.known_objective(objective)
    scenarios = tuple(map(options.known_scenario, scenario)) if scenario else None
    if mail and json:
        raise UsageError("--mail and --json are two forms of one answer; give one of them")
    if output is not None and output.suffix not in (".py", ".html"):
        raise UsageError(
            f"cannot tell what to write to {output}: name it .py for a test that replays the "
            "counterexample, or .html for a chart"
        )
    subject = lab().load_design(design)
    with progress() as on_progress:
        result = lab().check(
            subject, scenarios, (name,), limits=limits, engine=engine.value, on_progress=on_progress
        )
    trace = _shortest(result)
    if trace is None:
        _no_counterexample(result, name, scenarios, json)
        status = result.verdict.exit_status
        return EXIT_UNKNOWN if result.stopped else status
    if json:
        show_json(schema.explain(trace))
    elif mail:
        typer.echo(chart.mail(trace), nl=False)
    else:
        show(chart.chart(trace))
    if output is not None:
        if output.suffix == ".html":
            write(output, page.html(counterexample.timeline(trace)))
        else:
            beside = design.endswith(".py")
            where = os.path.relpath(design, output.parent) if beside else design
            write(output, replay.regression_test(trace, where, beside=beside))
    return EXIT_VIOLATED


def _shortest(result: CheckResult) -> Trace | None:
    violated = [row for row in result.rows if row.verdict.outcome is Outcome.VIOLATED]
    if not violated:
        return None
    row = min(violated, key=lambda row: (row.steps or 0, row.scenario))
    return result.traces[row.objective, row.scenario]()


def _no_counterexample(
    result: CheckResult, name: str, scenarios: tuple[str, ...] | None, json: bool
) -> None:
    scenario = scenarios[0] if scenarios and len(scenarios) == 1 else None
    if json:
        claim = objectives.load()[name].claim
        show_json(schema.nothing_to_explain(result.design, name, scenario, claim, result.verdict))
        return
    typer.echo(f"{result.design}, {name}: there is no counterexample to show.")
    for row in result.rows:
        typer.echo(f"  {row.scenario}: {row.verdict}")
    if not result.rows:
        typer.echo(f"  {result.verdict}")
    if result.stopped:
        typer.echo(f"  stopped early: {result.stopped}")
