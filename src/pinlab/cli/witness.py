"""`pinlab witness`."""

from __future__ import annotations

from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.cli._wait import signals
from pinlab.field.hold import runtime
from pinlab.field.witness.scene import Hazard, Scene, play
from pinlab.field.witness.scratch import FileSystem
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, exit_status
from pinlab.report import witness as report


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
    json: options.JsonOption = False,
) -> int:
    """Make a hazard happen here, on a file system of its own, and show what is seen of it.

    Status 1: it was seen. 0: the control run holds. 3: not reproduced, or nothing can be said.
    """
    runtime.sweep()
    scene: Scene | None = None
    with signals():
        scene = play(hazard, fs, control=control)
    if scene is None:
        show("stopped; nothing was decided")
        return EXIT_UNKNOWN
    if json:
        show_json(report.to_json(scene))
    else:
        show(report.to_text(scene))
    return status(scene)


def status(scene: Scene) -> int:
    """Seen is a violation; not seen decides something only in a control run."""
    if scene.reproduced:
        return EXIT_VIOLATED
    if not scene.control:
        return EXIT_UNKNOWN
    if scene.hazard is Hazard.truncate:
        return EXIT_UNKNOWN if scene.meta is None or scene.meta.lost else EXIT_HOLDS
    return exit_status(scene.verdicts.values())
