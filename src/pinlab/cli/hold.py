"""`pinlab hold`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pinlab.cli import _options as options
from pinlab.cli._show import show, show_json
from pinlab.cli._wait import signals, until_told
from pinlab.errors import UsageError
from pinlab.field.acts.pinning import runtime
from pinlab.field.acts.pinning.kind import hold as holding
from pinlab.field.acts.pinning.kind import load
from pinlab.field.acts.pinning.memory import Memory
from pinlab.objectives.verdict import EXIT_HOLDS
from pinlab.report import hold as report


def _kinds(incomplete: str) -> list[str]:
    return [name for name in load() if name.startswith(incomplete)]


def hold(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="io_uring, af_xdp, fuse, bio, vmsplice or process_vm.",
            autocompletion=_kinds,
            show_default=False,
        ),
    ] = None,
    memory: Annotated[Memory, typer.Option("--memory", help="Which pages.")] = Memory.anon,
    size: Annotated[str, typer.Option("--size", metavar="SIZE", help="Bytes of each.")] = "64K",
    count: Annotated[int, typer.Option("--count", help="How many of them.")] = 1,
    pmem: Annotated[
        Path | None,
        typer.Option(
            "--pmem",
            metavar="DEVICE",
            help="Of --memory dax: persistent memory for it. All that is on it is lost.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", help="Stop by itself.", show_default=False),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Clear away what killed holds have left.")
    ] = False,
    json: options.JsonOption = False,
) -> int:
    """Pin pages on purpose and keep them until Enter, Ctrl-C, SIGTERM or --for."""
    if sweep and kind is not None:
        raise UsageError("--sweep clears away what holds of all kinds have left; give no kind")
    if sweep:
        swept = runtime.sweep()
        if json:
            show_json(report.sweep_to_json(swept))
        else:
            show(report.sweep_to_text(swept))
        return EXIT_HOLDS
    if kind is None:
        names = "; ".join(f"{each.name}: {each.summary}" for each in load().values())
        raise UsageError(f"say what to hold: {names}")
    if seconds is not None:
        options.time_of(seconds, "--for")
    wanted = options.parse_size(size, "--size")
    with signals(), holding(kind, wanted, memory=memory, count=count, device=pmem) as holds:
        if json:
            show_json(report.to_json(holds))
        else:
            show(report.to_table(holds))
            if sys.stdin.isatty():
                show("Enter ends it.")
        sys.stdout.flush()
        until_told(seconds)
    return EXIT_HOLDS
