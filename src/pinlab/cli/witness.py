"""`pinlab witness`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._show import Screen, show, show_json
from pinlab.cli._wait import signals
from pinlab.field.hold import runtime
from pinlab.field.witness.file_system import FileSystem
from pinlab.field.witness.runs import Series, repeat
from pinlab.field.witness.scene import Hazard, Scene
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, exit_status
from pinlab.report import witness as report

STOPPED = "stopped by a signal"


def witness(
    hazard: Annotated[
        Hazard,
        typer.Argument(
            help="o1: written back while a device stores; o2: dirty behind the file system's back; "
            "truncate: the file is cut while a device stores."
        ),
    ],
    fs: Annotated[
        FileSystem, typer.Option("--fs", help="The file system to make for it.")
    ] = FileSystem.ext4,
    control: Annotated[
        bool, typer.Option("--control", help="The same with the pin released first: must hold.")
    ] = False,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Do it so often, and count. Ctrl-C ends it early.")
    ] = 1,
    json: options.JsonOption = False,
) -> int:
    """Make a hazard happen here, on a file system of its own, and show what is seen of it.

    Status 1: it was seen. 0: the control run holds. 3: not reproduced, or nothing can be said.
    """
    runtime.sweep()
    series = Series(hazard, fs, control, runs)
    over = False
    with _progress(series) as tell, signals(), closing(repeat(series)) as played:
        for _ in played:
            tell()
        over = True
    if not over:
        series.ended = STOPPED
    if not series.scenes:
        print(f"pinlab: {STOPPED}; nothing was decided", file=sys.stderr)
        return EXIT_UNKNOWN
    if json:
        show_json(report.to_json(series))
    else:
        show(report.to_text(series))
    return status(series)


@contextmanager
def _progress(series: Series) -> Iterator[Callable[[], None]]:
    """A line of counts on standard error, if that is a terminal and there is something to count."""
    console = Screen(stderr=True)
    if series.asked == 1 or not console.is_terminal:
        yield lambda: None
        return
    with console.status(f"run 1 of {series.asked}") as line:

        def tell() -> None:
            done = len(series.scenes)
            line.update(
                f"{done} of {series.asked} runs: seen in {series.reproduced}, "
                f"fsync returned 0 too early in {series.broken}"
            )

        yield tell


def status(series: Series) -> int:
    """Seen once is a violation; that it holds takes every run that was asked for."""
    found = {_status(scene) for scene in series.scenes}
    if EXIT_VIOLATED in found:
        return EXIT_VIOLATED
    return EXIT_HOLDS if found == {EXIT_HOLDS} and not series.ended else EXIT_UNKNOWN


def _status(scene: Scene) -> int:
    """Not seen decides something only in a control run."""
    if scene.reproduced:
        return EXIT_VIOLATED
    if not scene.control:
        return EXIT_UNKNOWN
    if scene.hazard is Hazard.truncate:
        pinned = any(row.kind is Event.PIN for row in scene.rows)
        sure = pinned and scene.meta is not None and not scene.meta.lost
        return EXIT_HOLDS if sure else EXIT_UNKNOWN
    return exit_status(scene.verdicts.values())
