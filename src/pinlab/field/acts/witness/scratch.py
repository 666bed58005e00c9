"""A file system of our own for one run: an unlinked image, a loop device, a mount nowhere.

Nothing of it has a name in the file tree, so nothing is left by whatever end: the image is gone
with its last descriptor, the mount is attached nowhere and ends with ours, and the loop device
clears itself when the mount is gone. The loop device is written down as those of `hold` are, so
`pinlab hold --sweep` finds what a kernel might have left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pinning import runtime
from pinlab.field.acts.pinning.kinds.bio import (
    LO_FLAGS,
    LO_FLAGS_AUTOCLEAR,
    LOOP_CONFIG,
    LOOP_CONFIGURE,
    LOOP_CTL_GET_FREE,
    TRIES,
)
from pinlab.field.acts.pinning.runtime import LO_FILE_NAME, LOOP_INFO64
from pinlab.field.errors import FieldError
from pinlab.field.machine import syscalls

PREFIX: Final = "pinlab-witness-"


@dataclass(frozen=True, slots=True)
class _Maker:
    """How one is made, of how many bytes, and what to install for that."""

    command: tuple[str, ...]
    size: int
    package: str


_MAKERS: Final = {
    FileSystem.ext4: _Maker(("mkfs.ext4", "-q", "-F"), 64 << 20, "e2fsprogs"),
    FileSystem.xfs: _Maker(("mkfs.xfs", "-q", "-f"), 400 << 20, "xfsprogs"),
    FileSystem.btrfs: _Maker(("mkfs.btrfs", "-q", "-f"), 256 << 20, "btrfs-progs"),
}


@dataclass(frozen=True, slots=True)
class Scratch:
    """The file system, mounted."""

    kind: FileSystem
    mount: int
    """A descriptor of its root."""
    image: int
    """A descriptor of what lies below it: the disk."""

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the disk. Raises OSError."""
        return os.pread(self.image, length, at)


@contextmanager
def scratch(kind: FileSystem) -> Iterator[Scratch]:
    """Make a file system, mount it, and let it vanish. Raises FieldError, OSError."""
    maker = _MAKERS[kind]
    path = f"/usr/local/sbin:/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}"
    command = shutil.which(maker.command[0], path=path)
    if command is None:
        raise FieldError(
            f"there is no {maker.command[0]}; install {maker.package} (Debian: "
            f"apt-get install {maker.package})"
        )
    with (
        _image(maker.size) as image,
        runtime.record() as record,
        _loop(image, record) as device,
    ):
        _make([command, *maker.command[1:], device])
        try:
            mount = syscalls.detached_mount(kind.value, {"source": device})
        except OSError as error:
            root = ", which needs root" if error.errno in (errno.EPERM, errno.EACCES) else ""
            raise FieldError(f"{kind} cannot be mounted{root}: {error.strerror}") from None
        try:
            yield Scratch(kind, mount, image)
        finally:
            os.close(mount)


@contextmanager
def _image(size: int) -> Iterator[int]:
    """An empty file without a name. It is sparse, but all of it may come to be used."""
    folder = os.environ.get("TMPDIR", "/var/tmp")
    with ExitStack() as stack:
        try:
            room = os.statvfs(folder)
            file = stack.enter_context(tempfile.TemporaryFile(prefix=PREFIX, dir=folder))
        except OSError as error:
            raise FieldError(f"no image can be made in {folder}: {error.strerror}") from None
        if room.f_bavail * room.f_frsize < size:
            raise FieldError(f"{folder} has no {size >> 20} MiB free for an image; set TMPDIR")
        os.truncate(file.fileno(), size)
        yield file.fileno()


def _make(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        raise FieldError(f"{command[0]} failed: {said}")


@contextmanager
def _loop(image: int, record: runtime.Record) -> Iterator[str]:
    """A loop device over the image."""
    name = f"{PREFIX}{os.getpid()}-{os.urandom(6).hex()}"
    for _ in range(TRIES):
        path = _free()
        with record.loop(path, name):
            disk = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                try:
                    fcntl.ioctl(disk, LOOP_CONFIGURE, _config(image, name))
                except OSError as error:
                    if error.errno == errno.EBUSY:  # somebody else was faster
                        continue
                    raise
                yield path
                return
            finally:
                os.close(disk)
    raise FieldError(f"no free loop device in {TRIES} tries")


def _free() -> str:
    """A loop device that nobody uses, as yet."""
    try:
        with open("/dev/loop-control", "rb+", buffering=0) as control:
            return f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
    except OSError as error:
        raise FieldError(
            f"no loop device can be made, which needs root: /dev/loop-control: {error.strerror}"
        ) from None


def _config(fd: int, name: str) -> bytes:
    """Struct loop_config, to be cleared at the last close."""
    info = bytearray(LOOP_INFO64)
    struct.pack_into("<I", info, LO_FLAGS, LO_FLAGS_AUTOCLEAR)
    info[LO_FILE_NAME] = name.encode().ljust(64, b"\0")
    return (struct.pack("<II", fd, 512) + info).ljust(LOOP_CONFIG, b"\0")
