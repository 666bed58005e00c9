"""Files that were asked for: written as a whole or not at all, and never instead of a device.

Whoever runs as root beside other users writes where they can put links and guess names. So the
new file has a name of its own that cannot be there (O_EXCL, random), and takes the place of what
the path leads to only if that is a regular file.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pinlab.errors import UsageError

PRIVATE = 0o600
"""The mode of a file that shows addresses of a kernel."""


def check(path: Path) -> None:
    """Raise UsageError if no file can come to `path`: known before hours of work are lost."""
    target = _target(path)
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: nothing can be made in its folder")


def write(path: Path, fill: Callable[[IO[bytes]], object], mode: int | None = None) -> None:
    """Let `fill` write a new file, then put it in the place of `path`.

    A link is followed. An earlier file gives its permissions to the new one; otherwise they are
    `mode`, or what the umask leaves of 0666. Raises UsageError.
    """
    check(path)
    target = _target(path)
    try:
        number, name = tempfile.mkstemp(prefix=".pinlab-", dir=target.parent)
        try:
            with open(number, "wb") as file:
                fill(file)
                file.flush()
                os.fchmod(file.fileno(), _mode(target) if mode is None else mode)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """`write` for a text, in UTF-8. Raises UsageError."""
    data = text.encode(errors="backslashreplace")
    write(path, lambda file: file.write(data))


def _target(path: Path) -> Path:
    """Where `path` leads. Raises UsageError if that is a device, a pipe or a folder."""
    try:
        target = Path(os.path.realpath(path))
        kind = os.lstat(target).st_mode
    except FileNotFoundError:
        return target
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot write {str(path)!r}: {why}") from error
    if not stat.S_ISREG(kind):
        raise UsageError(f"cannot write {path}: it is not a regular file")
    return target


def _mode(target: Path) -> int:
    """The permissions that a file at `target` has, or that a new one would get."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
