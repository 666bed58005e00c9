"""Which file is meant by a path: the pages that are its, whatever lies over its file system.

A path is looked at by somebody who waits for it a few seconds only: a server that does not answer
(FUSE, NFS) hangs whoever asks for the file. Only a regular file is opened, and only one of a
local file system: to open a pipe lets its writer go on into nothing, and to open a device may
start what it does.

What the kernel calls a file (super block and inode) is not always what stat(2) says. A file of
overlayfs has its pages in a file below, subvolumes of btrfs share one super block and repeat their
inode numbers. So the file is mapped, and its pages are those of the frames found there.
"""

from __future__ import annotations

import mmap
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pinlab.errors import UsageError
from pinlab.field.census.place import Placed
from pinlab.field.census.result import rows_of
from pinlab.field.errors import FieldError, ReaderError
from pinlab.field.machine import pagemap, syscalls
from pinlab.names import decoded

T = TypeVar("T")
Key = tuple[str, int]
"""Device ("254:0") and inode as the kernel has them."""

MOST: Final = 1 << 34
"""Bytes of a file up to which its frames are looked for."""
PATIENCE: Final = 5.0
"""Seconds until a file that does not answer is given up."""

NOT_ITS_OWN: Final = ("overlay", "btrfs", "bcachefs")
"""File systems of which device and inode do not name a file to the kernel."""
FAR: Final = ("fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "virtiofs", "orangefs", "gfs2")
"""What the names of file systems begin with that a server answers for."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A file of this machine, as its pages can be told from others."""

    key: Key | None
    """None if these do not name it."""
    frames: NDArray[np.uint64] | None
    """Its page cache; None if that was not looked at."""

    def rows(self, placed: Placed) -> NDArray[np.bool_]:
        """Which folios of a census are its."""
        its = np.zeros(len(placed), np.bool_)
        if self.key is not None:
            keys = (file and (file.device, file.inode) for file in placed.files)
            its |= np.array([key == self.key for key in keys], np.bool_)
        if self.frames is not None:
            found, inside = rows_of(placed.census.folios, self.frames)
            its[found[inside]] = True
        return its


def meant(path: Path) -> Meant:
    """The file at a path. Raises UsageError if there is none, or nothing that has pages;
    FieldError if it cannot be told which it is."""
    return _within(PATIENCE, path, lambda: _look(path))


def pipe_at(path: Path) -> Key | None:
    """The pipe at a path: a FIFO, or a descriptor in /proc; None if a regular file is there.

    Raises UsageError and FieldError as `meant` does.
    """
    return _within(PATIENCE, path, lambda: _look_for_pipe(path))


def _look_for_pipe(path: Path) -> Key | None:
    with _seen(path) as seen:
        status = os.fstat(seen)
        if not stat.S_ISFIFO(status.st_mode):
            _require_regular(path, status)
            return None
        device, kind = _mounted(seen, status)
    if kind in NOT_ITS_OWN:
        raise FieldError(
            f"{path} lies on {kind}, where it has no number of its own: ask about the process "
            "that has it open"
        )
    return device, status.st_ino


def _look(path: Path) -> Meant:
    with _seen(path) as seen:
        status = os.fstat(seen)
        _require_regular(path, status)
        device, kind = _mounted(seen, status)
        frames = None if kind.startswith(FAR) else _cached(seen)
    if kind not in NOT_ITS_OWN:
        return Meant((device, status.st_ino), frames)
    if frames is None:
        raise FieldError(
            f"{path} lies on {kind}, where it has no number of its own, and its frames are not "
            f"shown: it needs CAP_SYS_ADMIN, and a file of at most {MOST >> 30} GiB"
        )
    return Meant(None, frames)


@contextmanager
def _seen(path: Path) -> Iterator[int]:
    """A descriptor that only looks, so that nothing is opened. Raises UsageError."""
    seen = -1
    try:
        seen = os.open(path, os.O_PATH | os.O_CLOEXEC)
        yield seen
    except OSError as error:
        raise UsageError(f"{path} cannot be asked about: {error.strerror}") from error
    finally:
        if seen >= 0:
            os.close(seen)


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f"{path} is not a regular file, and is not opened: ask about the process that has it "
            "open"
        )


def file_system(path: Path) -> str:
    """The name of the file system that a path lies on. Raises OSError."""
    seen = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return _mounted(seen, os.fstat(seen))[1]
    finally:
        os.close(seen)


def _mounted(seen: int, status: os.stat_result) -> tuple[str, str]:
    """The device of a file's super block, and the name of its file system."""
    told = decoded(Path(f"/proc/self/fdinfo/{seen}").read_bytes())
    mount = dict(line.split(None, 1) for line in told.splitlines())["mnt_id:"]
    for line in decoded(Path("/proc/self/mountinfo").read_bytes()).split("\n"):
        words = line.split(" ")
        if words[0] == mount:
            return words[2], words[words.index("-") + 1]
    # A mount of nobody's (open_tree): its number is that of stat.
    return f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}", ""


def _cached(seen: int) -> NDArray[np.uint64] | None:
    """The frames of a file's page cache now; None if they cannot be known, or not all."""
    fd = os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        size = os.fstat(fd).st_size
        if not size:
            return np.zeros(0, np.uint64)
        if size > MOST:
            return None
        try:
            address = syscalls.mmap(size, syscalls.PROT_READ, syscalls.MAP_SHARED, fd)
        except OSError:
            return None
    finally:
        os.close(fd)
    try:
        # Only what is there is touched, so that nothing is read from the disk.
        resident = syscalls.mincore(address, size)
        syscalls.touch(address, [int(page) * mmap.PAGESIZE for page in np.flatnonzero(resident)])
        frames = pagemap.frames(address, size)
    except ReaderError:
        return None
    finally:
        syscalls.munmap(address, size)
    present: NDArray[np.uint64] = frames[frames != 0]
    return present


def _within(seconds: float, path: Path, look: Callable[[], T]) -> T:
    """What `look` returns or raises, unless it takes longer. Then the thread is left behind."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(look())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise FieldError(
            f"{path} does not answer: its file system's server is silent; "
            "`pinlab who --all` tells what waits for it"
        )
    return found[0]
