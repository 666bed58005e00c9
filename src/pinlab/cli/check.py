"""`pinlab check`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, progress, show, show_json
from pinlab.errors import UsageError
from pinlab.lab.results import Wanted
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import answer, difference, schema, table


def check(
    design: options.DesignArgument,
    objective: options.ObjectiveOption = None,
    scenario: options.ScenarioOption = None,
    operations: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="OPERATIONS",
            help="Instead of scenarios: these operations beside each other, as "
            '"dio-read@1, fsync, zap@2" (`pinlab list operations`).',
            show_default=False,
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="STATE",
            help='The state they are played from, as "dirty+buffers rw+rw2" (`pinlab list '
            "states`); may be repeated; from each that fits unless said.",
            show_default=False,
        ),
    ] = None,
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
    memory_model: options.MemoryModelOption = options.MemoryModel.sc,
    verbose: options.VerboseOption = False,
    json: options.JsonOption = False,
) -> int:
    """Check one design: one row per objective, worst first, with the scenario that decides it.

    Of a patch, which replaces other functions of the model than hooks, it says first what differs
    from what it builds on, in the scenarios and in every pair of operations that comes to what it
    replaces (under sequential consistency only), and ends with status 1 only if something broke
    that was not broken.
    """
    limits = options.limits(max_states, timeout, memory)
    subject = lab().load_design(design)
    if state and not operations:
        raise UsageError("--from says what operations are played from; name them with --with")
    played = _combinations(subject, operations, state) if operations else ()
    objectives, scenarios = options.asked(subject, objective, (*(scenario or ()), *played))
    base = lab().base(subject)
    with progress(verbose) as on_progress:
        run = partial(
            lab().check,
            scenarios=scenarios,
            objectives=objectives,
            limits=limits,
            engine=engine.value,
            memory_model=memory_model.value,
            on_progress=on_progress,
        )
        result = run(subject, coverage=coverage)
        before = None if base is None or result.stopped else run(base)
    changed = None if before is None else lab().difference(subject, before, result)
    swept = None
    asks_all = objectives is None and scenarios is None and memory_model.value == "sc"
    if before is not None and asks_all and lab().brought(subject)["functions"]:
        with doing("every pair of operations that comes to what it replaces"):
            swept = lab().sweep(subject, Wanted(), limits=limits)
    if json:
        show_json(schema.check(result, changed, swept))
    else:
        if changed is not None:
            show(difference.difference(changed, design, swept))
        show(table.check(result, design) if all_rows else answer.answer(result, design))
    if result.stopped or (swept is not None and swept.stopped):
        return EXIT_UNKNOWN
    if changed is None:
        return result.verdict.exit_status
    statuses = {changed.exit_status}
    statuses |= set() if swept is None else {swept.exit_status}
    return next(each for each in (EXIT_VIOLATED, EXIT_UNKNOWN, EXIT_HOLDS) if each in statuses)


def _combinations(design: Any, operations: list[str], states: list[str] | None) -> tuple[str, ...]:
    """The scenarios of operations, all beside each other, from one state or several."""
    words = ", ".join(operations)
    asked: list[str | None] = [*states] if states else [None]
    names = (name for state in asked for name in lab().combinations(design, words, state))
    return tuple(dict.fromkeys(names))
