"""A cpio archive as the kernel unpacks it (newc; Documentation/driver-api/early-userspace)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

CONSOLE = (5, 1)
"""The device numbers of /dev/console, which the first program writes to."""

_FOLDER, _FILE, _DEVICE = 0o040755, 0o100755, 0o020600


def write(to: IO[bytes], files: Mapping[str, bytes | Path], folders: Iterable[str] = ()) -> None:
    """Write files by their path, and the folders they need. Several archives may follow each
    other. Raises OSError."""
    needed = {
        *folders,
        "dev",
        *(str(each) for name in files for each in PurePosixPath(name).parents),
    }
    for name in sorted(needed - {"."}):
        _head(to, name, _FOLDER, 0)
    _head(to, "dev/console", _DEVICE, 0, CONSOLE)
    for name, content in files.items():
        if isinstance(content, bytes):
            _head(to, name, _FILE, len(content))
            to.write(content + _padding(len(content)))
            continue
        with content.open("rb") as file:
            about = os.fstat(file.fileno())
            # Python takes a compiled file for that of a source by the time of this
            _head(to, name, _FILE, about.st_size, time=int(about.st_mtime))
            shutil.copyfileobj(file, to, 1 << 20)
            to.write(_padding(about.st_size))
    _head(to, "TRAILER!!!", 0, 0)


def _head(
    to: IO[bytes],
    name: str,
    mode: int,
    size: int,
    device: tuple[int, int] = (0, 0),
    time: int = 0,
) -> None:
    path = os.fsencode(name) + b"\0"
    # inode 0 and one link: no file is another one's second name
    fields = (0, mode, 0, 0, 1, time, size, 0, 0, *device, len(path), 0)
    head = b"070701" + "".join(f"{each:08x}" for each in fields).encode() + path
    to.write(head + _padding(len(head)))


def _padding(size: int) -> bytes:
    return bytes(-size % 4)
