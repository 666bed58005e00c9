"""`pinlab mutate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, show, show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import mutants as report


def mutate(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FUNCTION|PATCH...]",
            help="Functions of the model, or one patch or design: a file, or a name. Without any, "
            "every function of the model.",
            show_default=False,
        ),
    ] = None,
    world: options.WorldOption = None,
    score: Annotated[
        bool, typer.Option("--score", help="Only tell what is known already; hunt nothing.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes at a time.", show_default="cores"),
    ] = None,
    json: options.JsonOption = False,
) -> int:
    """Make the model wrong, one thing at a time, and say what notices.

    Of a patch: what would go unnoticed if it were wrong. What survives is a question that nobody
    asks yet.
    """
    design, functions = _meant(what or [], world)
    with doing("preparing") as tell:

        def asked(done: int, of: int) -> None:
            tell(f"before anything is wrong: {done:,} of {of:,} combinations")

        def told(done: int, of: int) -> None:
            tell(f"{done:,} of {of:,} mutants")

        found = lab().mutate(
            design, functions, hunting=not score, jobs=jobs, on_asked=asked, on_done=told
        )
    if json:
        show_json(report.json(found))
    else:
        show(report.table(found, bool(functions)))
    if found.stopped or found.counts["unknown"]:
        return EXIT_UNKNOWN
    return EXIT_VIOLATED if found.counts["survived"] else EXIT_HOLDS


def _meant(words: list[str], world: str | None) -> tuple[Any, list[str]]:
    """The design whose mutants are meant, and the functions that are named. Raises UsageError."""
    worlds = map(lab().load_world, lab().world_names())
    known = {it.name for each in worlds for it in lab().designs(each)}
    designs = [
        word
        for word in words
        if word.endswith(".py") or "+" in word or word in known or Path(word).is_file()
    ]
    if len(designs) > 1 or (designs and len(words) > 1):
        raise UsageError("name one patch by itself, or functions of the model")
    if designs:
        if world is not None:
            raise UsageError("a patch says itself of which world it is: leave --world out")
        return lab().load_design(designs[0]), []
    return lab().load_design(lab().load_world(world).empty), words
