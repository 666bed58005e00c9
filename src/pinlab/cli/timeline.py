"""`pinlab timeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab import objectives
from pinlab.cli._show import write
from pinlab.errors import UsageError
from pinlab.field.events import recording
from pinlab.field.events.monitor import Monitor
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report.timeline import build, chrome, page
from pinlab.report.timeline.model import Timeline, Violation

WRITERS = {".html": page.html, ".json": chrome.text}


def timeline(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of `pinlab record`.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="OUT.html is a page to zoom, OUT.json is for ui.perfetto.dev.",
            show_default="both, as FILE.timeline.html and FILE.timeline.json",
        ),
    ] = None,
) -> int:
    """Draw a recording: a track per folio and per I/O, pins as spans, violations as marks.

    Status 0 once it is drawn, whatever it shows; `pinlab judge` asks for verdicts.
    """
    if output is None:
        outputs = [file.with_name(f"{file.name}.timeline{suffix}") for suffix in WRITERS]
    elif output.suffix in WRITERS:
        outputs = [output]
    else:
        raise UsageError(f"{output} is neither .html nor .json")
    drawn = judged(file)
    for each in outputs:
        write(each, WRITERS[each.suffix](drawn))
        typer.echo(f"{each}: {page.summary(drawn)}")
    for name, verdict in drawn.verdicts:
        typer.echo(f"  {name}: {verdict}")
    return EXIT_HOLDS


def judged(file: Path) -> Timeline:
    """The timeline of a recording, with what the monitors say of it."""
    rows, meta = recording.read(file)
    number = {row.seq: i for i, row in enumerate(rows)}
    claims = objectives.load()
    monitor = Monitor()
    violations = [
        Violation(
            number[each.row.seq],
            each.objective,
            claims[each.objective].claim,
            tuple(number[row.seq] for row in each.witness),
        )
        for each in monitor.see(rows, meta.stacks)
    ]
    if monitor.disorder:
        violations = []  # rows out of order decide nothing: the verdicts say so
    return build.timeline(rows, meta, violations, title=file.name, verdicts=monitor.verdicts(meta))
