"""`pinlab record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab import output as asked_for
from pinlab.cli import _events as events
from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.cli._wait import asked_to_end
from pinlab.field.events import recording
from pinlab.field.events.stream import Stream, Tape
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report import events as report


def record(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write (Parquet).")
    ],
    seconds: events.SecondsOption = None,
    device: events.DeviceOption = None,
    file: events.FileOption = None,
    pid: events.PidOption = None,
    everything: events.AllOption = False,
    max_events: Annotated[
        int | None,
        typer.Option("--max-events", min=1, help="Stop after so many.", show_default=False),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Stop when events fill it.")
    ] = "512M",
    raw: Annotated[
        bool, typer.Option("--raw", help="Write kernel addresses as they are, not hashed.")
    ] = False,
    json: options.JsonOption = False,
) -> int:
    """Record what happens to the pages of files, until Ctrl-C or --for, to be judged later."""
    asked_for.check(output)
    over = events.deadline(seconds)
    tape = Tape(max_events, options.parse_size(memory))
    pid = events.running(pid)
    with Stream(only=events.only(device, file, everything), pid=pid, raw=raw) as stream:
        with asked_to_end("recording") as ended:
            for rows in stream.until(lambda: over() or ended() or tape.full):
                tape.add(rows)
        note = (
            f"stopped at a bound: {tape.rows:,} events in {tape.bytes >> 10:,} KiB"
            if tape.full
            else ""
        )
        meta, cost = stream.meta(note), stream.cost()
    recording.write(output, tape.table(meta), raw=raw)
    if json:
        show_json(report.record_to_json(str(output), tape.rows, cost, meta))
        return EXIT_HOLDS
    show(f"{tape.rows:,} events in {output}; {report.cost_to_text(cost)}")
    for each in meta.failed:
        show(f"not watched: {each}")
    if meta.note:
        show(meta.note)
    return EXIT_HOLDS
