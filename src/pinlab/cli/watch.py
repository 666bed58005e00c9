"""`pinlab watch`."""

from __future__ import annotations

import contextlib
import json as encoder
import sys
import time
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console

from pinlab.cli import _events as events
from pinlab.cli import _options as options
from pinlab.cli._show import show
from pinlab.cli._wait import signals
from pinlab.field.events import names
from pinlab.field.events.monitor import Monitor, Violation
from pinlab.field.events.stream import Stream
from pinlab.objectives.verdict import exit_status
from pinlab.report import events as report

EVERY = 0.5
"""Seconds between two running counts."""


def watch(
    seconds: events.SecondsOption = None,
    device: events.DeviceOption = None,
    file: events.FileOption = None,
    pid: events.PidOption = None,
    everything: events.AllOption = False,
    objective: options.ObjectiveOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many violations of each file; 0: all.")
    ] = 3,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line (docs/events.md).")
    ] = False,
) -> int:
    """Judge the running kernel as things happen, until Ctrl-C or --for."""
    wanted = events.live_objectives(objective)
    over = events.deadline(seconds)
    shown: Counter[tuple[str, int | None, int | None]] = Counter()

    with Stream(only=events.only(device, file, everything), pid=pid) as stream:
        monitor = Monitor(wanted, writeback=stream.writeback)

        def tell(violation: Violation) -> None:
            key = (violation.objective, *violation.file)
            shown[key] += 1
            if limit and shown[key] > limit:
                return
            row = violation.row
            pids = (row.pid, report.holder(violation).pid)
            name = names.path(row.dev, row.ino, pids) if row.dev and row.ino else None
            meta = stream.meta()
            if json:
                _line({"violation": report.violation_to_json(violation, meta, name)})
            else:
                show(report.violation_to_text(violation, meta, name))
            sys.stdout.flush()

        console = Console(stderr=True, highlight=False, markup=False)
        status = console.status("watching") if console.is_terminal and not json else None
        with signals(), status or contextlib.nullcontext():
            next_count = time.monotonic()
            for rows in stream.until(over):
                for violation in monitor.see(rows, stream.stacks):
                    tell(violation)
                if status and time.monotonic() >= next_count:
                    next_count = time.monotonic() + EVERY
                    counts = [f"{n}: {t.violations:,}" for n, t in monitor.tally.items()]
                    status.update(f"{', '.join(counts)}; {report.cost_to_text(stream.cost())}")
        for rows in stream.stop():
            for violation in monitor.see(rows, stream.stacks):
                tell(violation)
        meta, cost = stream.meta(), stream.cost()
    verdicts = monitor.verdicts(meta)
    if json:
        end = dict(report.verdicts_to_json(monitor, meta))
        end.pop("violations")
        end |= report.cost_to_json(cost)
        _line(end)
    else:
        show(report.verdicts_to_text(monitor, meta))
        show(report.cost_to_text(cost))
    return exit_status(verdicts.values())


def _line(value: object) -> None:
    encoder.dump(value, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
