"""`pinlab explain`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pinlab import output as asked_for
from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, progress, show, show_json
from pinlab.errors import UsageError
from pinlab.lab.film import Film
from pinlab.lab.results import CheckResult, Trace
from pinlab.objectives.verdict import EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import chart, replay, schema
from pinlab.report.player import figure, page

DRAWN = {".html": page.html, ".svg": figure.svg}
"""What a counterexample is drawn as, by the end of the file's name."""


def explain(
    design: options.DesignArgument,
    objective: options.ObjectiveArgument,
    scenario: options.ScenarioOption = None,
    mail: Annotated[
        bool, typer.Option("--mail", help="72 columns of plain ASCII, to paste into a message.")
    ] = False,
    litmus: Annotated[
        bool,
        typer.Option(
            "--litmus",
            help="The race in it as a litmus test in the C of the kernel; with --memory-model.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write FILE.py, a test that replays the counterexample under pytest, "
            "FILE.html, a page on which to step through it, or FILE.svg, a figure.",
            show_default=False,
        ),
    ] = None,
    way: Annotated[
        int,
        typer.Option(
            "--way",
            metavar="N",
            help="The N-th way, if there are several: each ends elsewhere. 1 is the shortest.",
        ),
    ] = 1,
    max_states: options.MaxStatesOption = None,
    timeout: options.TimeoutOption = None,
    memory: options.MemoryOption = None,
    engine: options.EngineOption = options.Engine.auto,
    memory_model: options.MemoryModelOption = options.MemoryModel.sc,
    json: options.JsonOption = False,
) -> int:
    """Show the shortest counterexample step by step: who read and changed what on which line."""
    if output is not None and Path(design).exists() and output.exists() and output.samefile(design):
        raise UsageError(f"--output {output} is the design itself: name another file")
    limits = options.limits(max_states, timeout, memory)
    if mail + json + litmus > 1:
        raise UsageError("--mail, --json and --litmus are forms of one answer; give one of them")
    if litmus and memory_model is options.MemoryModel.sc:
        raise UsageError("--litmus is of what is reordered: say where, as --memory-model arm64")
    if output is not None and output.is_dir():
        raise UsageError(f"{output} is a folder: name a file in it, as {output / 'race.html'}")
    if output is not None and output.suffix not in (".py", ".html", ".svg"):
        raise UsageError(
            f"cannot tell what to write to {output}: name it .py for a test that replays the "
            "counterexample, .html for a page on which to step through it, or .svg for a figure"
        )
    if output is not None:
        asked_for.check(output)
    subject = lab().load_design(design)
    asked, scenarios = options.asked(subject, [objective], scenario)
    (name,) = asked or ()
    with progress() as on_progress:
        result = lab().check(
            subject,
            scenarios,
            (name,),
            limits=limits,
            engine=engine.value,
            memory_model=memory_model.value,
            ways=True,
            on_progress=on_progress,
        )
    trace = _chosen(result, way)
    if trace is None:
        claim = lab().objectives(subject)[name].claim
        _no_counterexample(result, name, claim, scenarios, memory_model.value, json)
        if output is not None:
            typer.echo(f"{output} is not written.", err=True)
        status = result.verdict.exit_status
        return EXIT_UNKNOWN if result.stopped else status
    film = _film(subject, trace) if json else None
    if film is not None:
        show_json(schema.explain(trace, result.ways, way, film.why))
    elif mail:
        typer.echo(chart.mail(trace), nl=False)
    elif litmus:
        typer.echo(_race(subject, trace), nl=False)
    else:
        show(chart.chart(trace))
        if text := chart.other_ways(result.ways, way):
            typer.echo(text)
    if output is not None:
        if output.suffix in DRAWN:
            drawn = DRAWN[output.suffix](film or _film(subject, trace))
            asked_for.write_text(output, drawn)
        else:
            beside = design.endswith(".py")
            where = os.path.relpath(design, output.parent) if beside else design
            asked_for.write_text(output, replay.regression_test(trace, where, beside=beside))
        typer.echo(f"Written: {output}", err=True)
    return EXIT_VIOLATED


def _film(design: Any, trace: Trace) -> Film:
    with doing("which orders of its steps matter"):
        return lab().film(design, trace)


def _race(design: Any, trace: Trace) -> str:
    """The litmus test in a counterexample. Raises UsageError if there is none."""
    text = lab().racing(design, trace)
    if text is None:
        raise UsageError(
            "no two threads of this counterexample miss each other's stores: there is no litmus "
            "test in it; see whether it is violated without --memory-model, too"
        )
    return text


def _chosen(result: CheckResult, way: int) -> Trace | None:
    """The counterexample that was asked for. Raises UsageError if there are fewer."""
    if not result.ways:
        return None
    if not 1 <= way <= len(result.ways):
        there = "is one way" if len(result.ways) == 1 else f"are {len(result.ways)} ways"
        raise UsageError(f"--way {way}: there {there}; give a number from 1 on")
    return result.ways[way - 1].trace()


def _no_counterexample(
    result: CheckResult,
    name: str,
    claim: str,
    scenarios: options.Names,
    memory_model: str,
    json: bool,
) -> None:
    scenario = scenarios[0] if scenarios and len(scenarios) == 1 else None
    if json:
        verdict = result.verdict
        show_json(
            schema.nothing_to_explain(result.design, name, scenario, claim, verdict, memory_model)
        )
        return
    typer.echo(f"{result.design}, {name}: there is no counterexample to show.")
    for row in result.rows:
        typer.echo(f"  {row.scenario}: {row.verdict}")
    if not result.rows:
        typer.echo(f"  {result.verdict}")
    if result.stopped:
        typer.echo(f"  stopped early: {result.stopped}")
