"""What every command does with its terminal: results on standard output, progress beside it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType

from pinlab.errors import UsageError
from pinlab.lab.results import Activity, OnActivity

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


def write(path: Path, text: str) -> None:
    """Write a file that was asked for. Raises UsageError."""
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def progress() -> Iterator[OnActivity | None]:
    """A line of figures on standard error while the lab works, if that is a terminal."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield None
        return
    with console.status("starting") as status:
        yield lambda activity: status.update(describe(activity))


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
