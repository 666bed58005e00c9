"""A direct read from a block device that withholds its answer: a bio with pinned pages in flight.

The device is a loop device over the file of `withheld`. block/fops.c, block/bio.c: one pin per
page, BIO_PAGE_PINNED. The loop device clears itself when its last descriptor is closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pinlab.field.acts.pinning import withheld
from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.kinds.fuse import reading
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.acts.pinning.runtime import LO_FILE_NAME, LOOP_CLR_FD, LOOP_INFO64
from pinlab.field.errors import FieldError
from pinlab.field.holders.extents import Extents

# linux/loop.h
LOOP_CTL_GET_FREE: Final = 0x4C82
LOOP_CONFIGURE: Final = 0x4C0A
LO_FLAGS_READ_ONLY: Final = 1
LO_FLAGS_AUTOCLEAR: Final = 4
LO_FLAGS: Final = 52  # offset in struct loop_info64
LOOP_CONFIG: Final = 304
MOST: Final = 512 << 10
TRIES: Final = 8


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Read into `pages` from a loop device of their own."""
    part = Buffer(pages.memory, pages.address, min(pages.length, MOST))
    with withheld.device() as device, _loop(device) as disk, reading(device, disk, part):
        yield held(KIND.name, part, Extents.of_pages(part.frames()), fd=disk)


@contextmanager
def _loop(device: withheld.Device) -> Iterator[int]:
    """A loop device over `device`, open for direct reads."""
    name = f"pinlab-hold-{os.getpid()}-{os.urandom(6).hex()}"
    for _ in range(TRIES):
        path = f"/dev/loop{_free()}"
        with device.record.loop(path, name):
            disk = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
            try:
                try:
                    fcntl.ioctl(disk, LOOP_CONFIGURE, _config(device.fd, name))
                except OSError as error:
                    if error.errno == errno.EBUSY:  # somebody else was faster
                        continue
                    raise
                try:
                    yield disk
                finally:
                    # Marked for the last close, which is ours.
                    fcntl.ioctl(disk, LOOP_CLR_FD)
                return
            finally:
                os.close(disk)
    raise FieldError(f"no free loop device in {TRIES} tries")


def _free() -> int:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(control, LOOP_CTL_GET_FREE)
    finally:
        os.close(control)


def _config(fd: int, name: str) -> bytes:
    """Struct loop_config {u32 fd, block_size; struct loop_info64 info; u64 reserved[8]}."""
    info = bytearray(LOOP_INFO64)
    struct.pack_into("<I", info, LO_FLAGS, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR)
    info[LO_FILE_NAME] = name.encode().ljust(64, b"\0")
    return (struct.pack("<II", fd, 512) + info).ljust(LOOP_CONFIG, b"\0")


KIND = Kind(
    "bio",
    "a direct read from a block device (loop over FUSE) that withholds the answer",
    (Memory.anon, Memory.memfd, Memory.thp, Memory.file, Memory.dax),
    most=MOST,
    most_count=4,
    make=make,
)
