"""`pinlab witness`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._show import Screen, show, show_json
from pinlab.cli._wait import signals
from pinlab.cli.guest import SECONDS, KernelOption, ModulesOption, order
from pinlab.errors import UsageError
from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pinning import runtime
from pinlab.field.acts.witness.reuse import Reuses
from pinlab.field.acts.witness.reuse import repeat as repeat_o3
from pinlab.field.acts.witness.runs import Series, repeat
from pinlab.field.acts.witness.scene import Hazard, Scene
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, exit_status
from pinlab.report import reuse
from pinlab.report import witness as report

STOPPED = "stopped by a signal"

PMEM = "/dev/pmem0"
"""That of a guest."""


class Wanted(StrEnum):
    """What is made to happen: the hazards of a page, and that of a block."""

    o1 = "o1"
    o2 = "o2"
    truncate = "truncate"
    o3 = "o3"


def witness(
    hazard: Annotated[
        Wanted,
        typer.Argument(
            help="o1: written back while a device stores; o2: dirty behind the file system's back; "
            "truncate: the file is cut while a device stores; o3: a block of an FS-DAX file is "
            "given to another while a device stores."
        ),
    ],
    fs: Annotated[
        FileSystem, typer.Option("--fs", help="The file system to make for it.")
    ] = FileSystem.ext4,
    control: Annotated[
        bool,
        typer.Option(
            "--control",
            help="The same with the pin released first (o3: cut, not unlinked): must hold.",
        ),
    ] = False,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Do it so often, and count. Ctrl-C ends it early.")
    ] = 1,
    kernel: KernelOption = None,
    modules: ModulesOption = None,
    pmem: Annotated[
        Path | None,
        typer.Option(
            "--pmem",
            metavar="DEVICE",
            help="Of o3: persistent memory to play on. All that is on it is lost.",
            show_default=False,
        ),
    ] = None,
    json: options.JsonOption = False,
) -> int:
    """Make a hazard happen here, on a file system of its own, and show what is seen of it.

    Status 1: it was seen. 0: the control run holds (of o3: it was kept). 3: not reproduced, or
    nothing can be said. With --kernel it happens in a guest.
    """
    if pmem is not None and hazard is not Wanted.o3:
        raise UsageError("--pmem goes with o3, which is the one that needs persistent memory")
    if kernel is not None:
        words = ["witness", hazard, "--fs", fs, "--runs", str(runs)]
        words += ["--control"] * control + ["--json"] * json
        words += ["--pmem", str(pmem or PMEM)] if hazard is Wanted.o3 else []
        return order(kernel, modules, words, SECONDS + 30 * runs)
    if modules is not None:
        raise UsageError("--modules goes with --kernel, whose modules they are")
    runtime.sweep()
    if hazard is Wanted.o3:
        return _o3(fs, control, runs, pmem, json)
    series = Series(Hazard(hazard), fs, control, runs)
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


def _o3(fs: FileSystem, control: bool, runs: int, device: Path | None, json: bool) -> int:
    if device is None:
        raise UsageError(
            "o3 needs persistent memory: --kernel VMLINUZ for a guest, which has some, or --pmem "
            "/dev/pmemN, which is overwritten"
        )
    series = Reuses(fs, control, runs)
    over = False
    with signals(), closing(repeat_o3(series, device)) as played:
        for _ in played:
            pass
        over = True
    if not over:
        series.ended = STOPPED
    if not series.runs:
        print(f"pinlab: {STOPPED}; nothing was decided", file=sys.stderr)
        return EXIT_UNKNOWN
    if json:
        show_json(reuse.to_json(series))
    else:
        show(reuse.to_text(series))
    if series.reproduced:
        return EXIT_VIOLATED
    return EXIT_HOLDS if series.kept == series.asked else EXIT_UNKNOWN


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
