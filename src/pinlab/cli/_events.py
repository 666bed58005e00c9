"""What `record`, `watch` and `judge` have in common: filters, bounds, objectives."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pinlab.errors import UsageError
from pinlab.field.census.meant import file_system
from pinlab.field.events import names
from pinlab.field.events.monitor import NEEDS
from pinlab.field.holders.target import require_process
from pinlab.field.probes.folio import Filter

DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Only files on this device: /dev/sda1, 8:1, or any path on it.",
        show_default=False,
    ),
]
FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="PATH", help="Only this file.", show_default=False)
]
PidOption = Annotated[
    int | None,
    typer.Option(
        "--pid", min=1, help="Only pages that this process touched before.", show_default=False
    ),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Every page, not only pinned ones; --file implies it. Much more, which may be lost.",
    ),
]
SecondsOption = Annotated[
    float | None,
    typer.Option("--for", metavar="SECONDS", help="Stop by itself.", show_default=False),
]


def only(device: str | None, file: Path | None, everything: bool) -> Filter:
    """The filter of three options. Raises UsageError."""
    if file is not None:
        found = _stat(file, "--file")
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"--file {file} is not a regular file; only those are watched")
        if file_system(file) == "overlay":
            raise UsageError(
                f"--file {file} lies on overlayfs, and every event is of the file below it: name "
                "that one (in the mount's upperdir or a lowerdir)"
            )
        on = names.super_block(file, found)
        if device is not None and _device(device) != on:
            raise UsageError(f"--file {file} is not on --device {device}")
        return Filter(on, found.st_ino)
    return Filter(None if device is None else _device(device), pinned=not everything)


def _stat(path: Path, option: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None


def _device(text: str) -> int:
    if match := re.fullmatch(r"(\d{1,4}):(\d{1,7})", text, re.ASCII):
        major, minor = int(match[1]), int(match[2])
        if major < 1 << 12 and minor < 1 << 20:
            return names.dev_t(os.makedev(major, minor))
    found = _stat(Path(text), "--device")
    if stat.S_ISCHR(found.st_mode):
        raise UsageError(f"--device {text} has no files: it is no block device")
    if stat.S_ISBLK(found.st_mode):
        return names.dev_t(found.st_rdev)
    return names.super_block(Path(text), found)


def running(pid: int | None) -> int | None:
    """The process of --pid. Raises UsageError if there is none."""
    if pid is not None:
        require_process("live", pid)
    return pid


def deadline(seconds: float | None) -> Callable[[], bool]:
    """Whether the time of --for is over; it begins when that is first asked. Raises UsageError."""
    from pinlab.cli._options import time_of

    if seconds is None:
        return lambda: False
    if not seconds > 0:
        raise UsageError(f"--for {seconds:g} leaves no time; give seconds above 0")
    time_of(seconds, "--for")
    end: float | None = None

    def over() -> bool:
        nonlocal end
        now = time.monotonic()
        end = now + seconds if end is None else end
        return now >= end

    return over


def live_objectives(wanted: list[str] | None) -> tuple[str, ...]:
    """The objectives to judge by. Raises UsageError for one that no live event can express."""
    from pinlab.cli._options import known_objective

    chosen = tuple(dict.fromkeys(known_objective(name) for name in wanted or NEEDS))
    for name in chosen:
        if name not in NEEDS:
            raise UsageError(
                f"{name} cannot be judged by events of a running kernel; {', '.join(NEEDS)} can"
            )
    return chosen
