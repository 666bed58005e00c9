"""A direct read from a FUSE file whose server withholds its answer.

fs/fuse/file.c, fuse_direct_io. One short-term pin per page, for as long as the server likes;
the READ takes at most 1 MiB, and only so much of the memory is held.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pinlab.field.acts.pinning import fuse_server, withheld
from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.holders.extents import Extents
from pinlab.field.machine import syscalls as sys


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Read into `pages` from a device of their own."""
    part = Buffer(pages.memory, pages.address, min(pages.length, fuse_server.MOST))
    with withheld.device() as device, reading(device, device.fd, part):
        yield held(KIND.name, part, Extents.of_pages(part.frames()), fd=device.fd)


@contextmanager
def reading(device: withheld.Device, fd: int, pages: Buffer) -> Iterator[None]:
    """A read of `fd` in a thread, which `device` withholds until the block ends."""
    device.withhold()
    reader = threading.Thread(target=_read, args=(fd, pages), daemon=True)
    reader.start()
    try:
        device.wait_held()
        yield
    finally:
        device.release()
        reader.join(withheld.PATIENCE)


def _read(fd: int, pages: Buffer) -> None:
    with suppress(OSError):  # the server died: the read fails, which is how it ends
        sys.preadv(fd, pages.address, pages.length)


KIND = Kind(
    "fuse",
    "a direct read from a FUSE file, whose server withholds the answer",
    (Memory.anon, Memory.memfd, Memory.thp, Memory.file, Memory.dax),
    most=fuse_server.MOST,
    most_count=8,
    make=make,
)
