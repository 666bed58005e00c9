"""`pinlab watch`."""

from __future__ import annotations

import contextlib
import json as encoder
import sys
import time
from collections import Counter
from typing import Annotated

import typer

from pinlab.cli import _events as events
from pinlab.cli import _options as options
from pinlab.cli._show import Screen, show
from pinlab.cli._wait import asked_to_end
from pinlab.field.events import names
from pinlab.field.events.batch import Batch
from pinlab.field.events.monitor import Monitor, Violation
from pinlab.field.events.stream import Stream
from pinlab.field.holders.now import Now
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
    pid = events.running(pid)
    with Stream(only=events.only(device, file, everything), pid=pid) as stream:
        monitor = Monitor(wanted, writeback=stream.meta().writeback)
        teller = _Teller(stream, limit, json)

        def judge(rows: Batch) -> None:
            for violation in monitor.see(rows, stream.stacks):
                teller.tell(violation)
            while monitor.doubted:
                teller.tell(monitor.doubted.popleft())

        console = Screen(stderr=True)
        status = console.status("watching") if console.is_terminal and not json else None
        with asked_to_end("watching") as ended, status or contextlib.nullcontext():
            next_count = time.monotonic()
            for rows in stream.until(lambda: over() or ended()):
                judge(rows)
                if status and time.monotonic() >= next_count:
                    next_count = time.monotonic() + EVERY
                    counts = [f"{n}: {t.violations:,}" for n, t in monitor.tally.items()]
                    status.update(f"{', '.join(counts)}; {report.cost_to_text(stream.cost())}")
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


class _Teller:
    """Says what was found, with the file's name and who holds the page, if that is still known."""

    def __init__(self, stream: Stream, limit: int, json: bool) -> None:
        self._stream = stream
        self._limit = limit
        self._json = json
        self._told: Counter[tuple[str, str, int | None, int | None]] = Counter()
        self._holders = Now(stream.reader)

    def tell(self, found: Violation) -> None:
        """Say it, unless enough was said of this file."""
        key = (found.objective, found.doubt, *found.file)
        self._told[key] += 1
        if self._limit and self._told[key] > self._limit:
            return
        row = found.row
        held = self._holders.holding(row.head_pfn, 1 << row.order)
        pids = (row.pid, report.holder(found).pid)
        name = names.path(row.dev, row.ino, pids) if row.dev and row.ino else None
        meta = self._stream.meta()
        if self._json:
            said = report.violation_to_json(found, meta, name, held)
            _line({"undecided" if found.doubt else "violation": said})
        else:
            show(report.violation_to_text(found, meta, name, held))
        sys.stdout.flush()


def _line(value: object) -> None:
    encoder.dump(value, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
