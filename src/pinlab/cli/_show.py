"""What every command does with its terminal: results on standard output, progress beside it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from rich.console import Console, RenderableType

from pinlab.lab.results import Activity, OnActivity
from pinlab.report import answer

PIPE_WIDTH = 160
"""Columns when standard output is no terminal and nobody says how many there are."""


def show(result: RenderableType) -> None:
    """Print to standard output, in colour if that is a terminal."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(result)


def show_json(value: Mapping[str, object]) -> None:
    """Print one JSON object to standard output, and nothing else."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


@contextmanager
def progress(verbose: bool = False) -> Iterator[OnActivity | None]:
    """Verdicts on standard error as they come, if that is a terminal or with `verbose`.

    On a terminal there is a line of figures below them.
    """
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield partial(_print, console) if verbose else None
        return
    with console.status("starting") as status:

        def both(activity: Activity) -> None:
            _print(console, activity)
            status.update(describe(activity))

        yield both


def _print(console: Console, activity: Activity) -> None:
    if activity.rows:
        title = activity.scenario or activity.design
        console.print(answer.finished(title, activity.rows), soft_wrap=True)


def describe(activity: Activity) -> str:
    """An activity in one line."""
    line = f"{activity.done}/{activity.total}  {activity.design}, {activity.scenario}"
    if (at := activity.progress) is not None:
        rate = at.states / at.seconds if at.seconds > 0 else 0.0
        line += (
            f": {at.states:,} states, {at.frontier:,} in the frontier, depth {at.depth}, "
            f"{rate:,.0f} states/s, {at.memory_bytes / 2**20:,.0f} MiB"
        )
    return line
