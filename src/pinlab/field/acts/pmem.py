"""A file system of our own with FS-DAX, on persistent memory that is ours to overwrite.

It is that of a guest (`pinlab guest`), or one that the user names as scratch. There a page of a
file is a block of the device.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.errors import FieldError
from pinlab.field.machine import syscalls

_MAKERS: Final = {
    FileSystem.ext4: ("mkfs.ext4", "-q", "-F", "-b", "4096"),
    FileSystem.xfs: ("mkfs.xfs", "-q", "-f", "-m", "reflink=0"),
}
"""Of xfs without reflink, which excludes FS-DAX before 6.0."""


@dataclass(frozen=True, slots=True)
class Pmem:
    """The file system, mounted."""

    kind: FileSystem
    mount: int
    """A descriptor of its root."""

    def sync(self) -> None:
        """Write all of it, and have the journal commit, so that freed blocks are free."""
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.mount)
        try:
            syscalls.syncfs(fd)
        finally:
            os.close(fd)


@contextmanager
def pmem(kind: FileSystem, device: Path) -> Iterator[Pmem]:
    """Make a file system on `device`, whatever was there, and mount it nowhere with `dax=always`.

    Raises FieldError.
    """
    if kind not in _MAKERS:
        raise FieldError(f"{kind} has no FS-DAX; take --fs ext4 or --fs xfs")
    _require_scratch(device)
    name, *options = _MAKERS[kind]
    path = f"/usr/local/sbin:/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}"
    command = shutil.which(name, path=path)
    if command is None:
        raise FieldError(f"there is no {name}; install the tools of {kind}")
    done = subprocess.run(
        [command, *options, str(device)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        raise FieldError(f"{name} failed: {said}")
    try:
        mount = syscalls.detached_mount(kind.value, {"source": str(device), "dax": "always"})
    except OSError as error:
        raise FieldError(f"{kind} cannot be mounted with dax=always: {error.strerror}") from None
    try:
        yield Pmem(kind, mount)
    finally:
        os.close(mount)


def _require_scratch(device: Path) -> None:
    """Refuse what is no persistent memory, or is in use."""
    dax = Path("/sys/class/block") / device.name / "queue/dax"
    try:
        capable = dax.read_text().strip() == "1"
    except OSError:
        capable = False
    if not capable:
        raise FieldError(f"{device} is no persistent memory with DAX; say a /dev/pmemN")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        used = ": it is in use" if error.errno == errno.EBUSY else f": {error.strerror}"
        raise FieldError(f"{device} cannot be overwritten{used}") from None
