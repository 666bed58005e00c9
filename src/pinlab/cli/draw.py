"""`pinlab draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab import output as asked_for
from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.errors import UsageError
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.dot import to_dot
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report.automaton import svg

WRITERS = {".dot": to_dot, ".svg": svg}


def draw(
    objective: options.ObjectiveArgument,
    design: Annotated[
        str | None,
        typer.Argument(
            metavar="[DESIGN]", help="The file that brings the objective.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="FILE.svg is a drawing (needs Graphviz), FILE.dot is for the kernel's tools.",
            show_default="as .dot to standard output",
        ),
    ] = None,
) -> int:
    """Draw an objective's automaton, or write it for the kernel's runtime-verification tools."""
    known = lab().objectives(None if design is None else lab().load_design(design))
    automaton = known[options.known_objective(objective, known)]
    if not isinstance(automaton, Automaton):
        raise UsageError(
            f"{automaton.name} is no automaton over events ({automaton.claim}), so there is "
            "nothing to draw"
        )
    if output is None:
        typer.echo(to_dot(automaton), nl=False)
        return EXIT_HOLDS
    writer = WRITERS.get(output.suffix)
    if writer is None:
        raise UsageError(f"{output} is neither .svg nor .dot")
    asked_for.write_text(output, writer(automaton))
    return EXIT_HOLDS
