"""`pinlab timeline`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pinlab import objectives
from pinlab import output as asked_for
from pinlab.cli import _options as options
from pinlab.cli._show import show_json
from pinlab.errors import UsageError
from pinlab.field.events import recording
from pinlab.field.events.monitor import Monitor
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report.timeline import build, chrome, narrow, page, summary
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
    inode: Annotated[
        int | None,
        typer.Option("--inode", min=1, help="Only pages of this file.", show_default=False),
    ] = None,
    json: options.JsonOption = False,
) -> int:
    """Draw a recording: a track per folio and per I/O, pins as spans, violations as marks.

    Status 0 once it is drawn, whatever it shows; `pinlab judge` asks for verdicts.
    """
    if not file.name:
        raise UsageError(f"{file} is not a recording: it is not a regular file")
    if output is None:
        outputs = [file.with_name(f"{file.name}.timeline{suffix}") for suffix in WRITERS]
    elif output.suffix in WRITERS:
        outputs = [output]
    else:
        raise UsageError(f"{output} is neither .html nor .json")
    whole = judged(file)
    if inode is not None:
        whole = narrow.of_inode(whole, inode)
    files = {each: narrow.at_most(whole) if each.suffix == ".html" else whole for each in outputs}
    for each, drawn in files.items():
        asked_for.write_text(each, WRITERS[each.suffix](drawn))
    if json:
        written = {str(path): drawn for path, drawn in files.items()}
        show_json(summary.to_json(str(file), whole, written))
    else:
        _tell(whole, files)
    return EXIT_HOLDS


def _tell(whole: Timeline, files: Mapping[Path, Timeline]) -> None:
    for each, drawn in files.items():
        typer.echo(f"{each}: {summary.line(drawn)}")
        for note in drawn.notes:
            typer.echo(f"  {note}")
    for name, verdict in whole.verdicts.items():
        typer.echo(f"{name}: {verdict}")


def judged(file: Path) -> Timeline:
    """The timeline of a recording, with what the monitors say of it."""
    rows, meta = recording.read(file)
    number = {row.seq: i for i, row in enumerate(rows)}
    claims = objectives.load()
    monitor = Monitor(writeback=meta.writeback)
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
