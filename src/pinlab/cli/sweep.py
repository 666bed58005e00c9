"""`pinlab sweep`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._cluster import cluster
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, show, show_json
from pinlab.errors import UsageError
from pinlab.lab.results import Estimate, Swept, Wanted
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import sweep as report

LONG = 3
"""From this size on it is said how long it may take."""


def sweep(
    designs: Annotated[
        list[str],
        typer.Argument(metavar="DESIGN...", help="Designs or patches, by name or file."),
    ],
    size: Annotated[
        int, typer.Option("--size", metavar="N", help="How many operations at a time.")
    ] = 2,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="OPERATIONS",
            help="Only combinations with one of these (`pinlab list operations`).",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without", metavar="OPERATIONS", help="None with these.", show_default=False
        ),
    ] = None,
    touching: Annotated[
        list[str] | None,
        typer.Option(
            "--touching",
            metavar="FUNCTION",
            help="Only combinations in which something comes to this function; may be repeated.",
            show_default=False,
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="STATE",
            help='Only from this state, as "dirty+buffers rw"; may be repeated.',
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes at a time.", show_default="cores"),
    ] = None,
    ray: options.RayOption = None,
    max_states: options.MaxStatesOption = None,
    json: options.JsonOption = False,
) -> int:
    """Play every combination of operations from every state, under every objective.

    Per objective the smallest combination that breaks it. Of a patch only what is not broken
    without it.
    """
    limits = options.limits(max_states, None, None)
    wanted = Wanted(
        size,
        _joined("--with", with_),
        _joined("--without", without),
        tuple(touching or ()),
        tuple(state) if state else None,
    )
    subjects = [lab().load_design(each) for each in designs]
    below = [lab().base(each) for each in subjects]
    if len(subjects) > 1 and any(each is not None for each in below):
        raise UsageError("a patch is compared with what it builds on; sweep it by itself")
    found: list[Swept] = []
    with doing("preparing") as tell, cluster("sweep", ray, jobs) as there:
        for name, subject in zip(designs, subjects, strict=True):

            def told(done: int, of: int, name: str = name) -> None:
                tell(f"{name}: {done:,} of {of:,} combinations")

            if size >= LONG:
                _say(lab().estimate(subject, wanted, limits=limits), jobs, ray)
            how = {} if ray is None else {"there": there}
            found.append(
                lab().sweep(subject, wanted, limits=limits, jobs=jobs, on_sweep=told, **how)
            )
            if found[-1].stopped:
                break
    base = None if below[0] is None else str(below[0].name)
    if json:
        show_json(report.json(found, base))
    else:
        show(report.sweep(found, designs, base))
    if any(each.stopped for each in found):
        return EXIT_UNKNOWN
    statuses = {each.exit_status for each in found}
    return next(each for each in (EXIT_VIOLATED, EXIT_UNKNOWN, EXIT_HOLDS) if each in statuses)


def _joined(option: str, words: list[str] | None) -> str:
    """What an option names, however often it is given. Raises UsageError if one names nothing."""
    for each in words or ():
        if not each.replace(",", " ").split():
            raise UsageError(f"{option} {each!r} names no operation: name one, or leave it out")
    return ", ".join(words or ())


def _say(estimate: Estimate, jobs: int | None, ray: str | None) -> None:
    """On standard error, before something that takes long."""
    if ray is None:
        cores = jobs or os.cpu_count() or 1
        long = f"{estimate.seconds / cores / 60:,.0f} minutes of {cores} cores"
    else:
        long = f"{estimate.seconds / 60:,.0f} core-minutes"
    typer.echo(
        f"{estimate.combinations:,} combinations: about {long}, as {estimate.sampled} of them "
        "took; Ctrl-C ends with what was found so far",
        err=True,
    )
