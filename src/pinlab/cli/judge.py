"""`pinlab judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _events as events
from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.field.events import recording
from pinlab.field.events.monitor import Monitor
from pinlab.objectives.verdict import exit_status
from pinlab.report import events as report


def judge(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `pinlab record` wrote.")],
    objective: options.ObjectiveOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many violations; 0: all.")
    ] = 3,
    json: options.JsonOption = False,
) -> int:
    """Judge a recording by the objectives of the thread."""
    wanted = events.live_objectives(objective)
    rows, meta = recording.read(file)
    monitor = Monitor(wanted, writeback=meta.writeback)
    for _ in monitor.see(rows, meta.stacks):
        pass
    if json:
        show_json(report.verdicts_to_json(monitor, meta))
        return exit_status(monitor.verdicts(meta).values())
    show(report.verdicts_to_text(monitor, meta))
    shown = monitor.violations[: limit or None]
    for each in shown:
        show(report.violation_to_text(each, meta))
    if (more := sum(t.violations for t in monitor.tally.values()) - len(shown)) > 0:
        show(f"and {more:,} more (--limit 0 shows all that are kept)")
    return exit_status(monitor.verdicts(meta).values())
