"""process_vm_readv stopped half way: its pins last one copy, so the copy is made to wait.

mm/process_vm_access.c pins up to 1024 remote pages, copies, and unpins. The copy goes into a range
watched by userfaultfd, and faults there until the range is no longer watched.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.errors import FieldError
from pinlab.field.holders.extents import Extents
from pinlab.field.machine import syscalls as sys

# linux/userfaultfd.h
UFFD_API: Final = 0xAA
UFFDIO_API: Final = 0xC018AA3F
UFFDIO_REGISTER: Final = 0xC020AA00
UFFDIO_REGISTER_MODE_MISSING: Final = 1
PATIENCE: Final = 10_000  # milliseconds


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Read `pages` of our own process as if they were another's, and stop at the first byte."""
    access = sys.PROT_READ | sys.PROT_WRITE
    target = sys.mmap(pages.length, access, sys.MAP_PRIVATE | sys.MAP_ANONYMOUS)
    watcher, copier = -1, None
    try:
        watcher = sys.userfaultfd()
        fcntl.ioctl(watcher, UFFDIO_API, bytearray(struct.pack("<QQQ", UFFD_API, 0, 0)))
        mode = UFFDIO_REGISTER_MODE_MISSING
        watched = struct.pack("<QQQQ", target, pages.length, mode, 0)
        fcntl.ioctl(watcher, UFFDIO_REGISTER, bytearray(watched))
        copier = threading.Thread(target=_copy, args=(target, pages), daemon=True)
        copier.start()
        poll = select.poll()
        poll.register(watcher, select.POLLIN)
        if not poll.poll(PATIENCE):
            raise FieldError("process_vm_readv did not begin to copy within 10 s")
        yield held(KIND.name, pages, Extents.of_pages(pages.frames()))
    finally:
        if watcher >= 0:
            os.close(watcher)  # its faults go on
        if copier is not None:
            copier.join()
        sys.munmap(target, pages.length)


def _copy(target: int, pages: Buffer) -> None:
    with suppress(OSError):
        sys.process_vm_readv(os.getpid(), target, pages.address, pages.length)


KIND = Kind(
    "process_vm",
    "process_vm_readv, stopped while it copies",
    (Memory.anon, Memory.memfd, Memory.thp, Memory.file),
    most=4 << 20,
    most_count=8,
    make=make,
)
