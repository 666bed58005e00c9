"""Memory to be pinned: ours, filled, and of a known sort of page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FieldError, ReaderError
from pinlab.field.machine import pagemap
from pinlab.field.machine import syscalls as sys

HUGE = 2 << 20
"""Bytes of a huge page of the size that THP and hugetlb have by default on x86-64."""


class Memory(StrEnum):
    """Which pages there are to pin."""

    anon = "anon"
    memfd = "memfd"
    thp = "thp"
    hugetlb = "hugetlb"
    file = "file"
    dax = "dax"


SUMMARY = {
    Memory.anon: "small anonymous pages",
    Memory.memfd: "small pages of a memfd, mapped shared",
    Memory.thp: "transparent huge pages (anonymous)",
    Memory.hugetlb: "huge pages out of the pool (vm.nr_hugepages)",
    Memory.file: "page cache of an unlinked temporary file, mapped shared",
    Memory.dax: "an unlinked file with FS-DAX on --pmem, mapped shared",
}


@dataclass(frozen=True, slots=True)
class Buffer:
    """A filled range of our own address space."""

    memory: Memory
    address: int
    length: int

    def frames(self) -> NDArray[np.uint64]:
        """The frame of each page now; empty without the privilege to know."""
        try:
            return pagemap.frames(self.address, self.length)
        except ReaderError:
            return np.zeros(0, np.uint64)


@contextmanager
def buffer(memory: Memory, length: int, folder: int | None = None) -> Iterator[Buffer]:
    """`length` bytes of such memory, rounded up to whole pages; of a file, one in `folder` (a
    descriptor). Raises FieldError."""
    unit = HUGE if memory in (Memory.thp, Memory.hugetlb) else pagemap.PAGE
    length = -(-length // unit) * unit
    # For alignment a huge page more is mapped and never touched.
    spare = HUGE if memory is Memory.thp else 0
    try:
        start = _map(memory, length + spare, folder)
    except OSError as error:
        raise FieldError(_why_not(memory, error)) from error
    try:
        address = -(-start // HUGE) * HUGE if spare else start
        with suppress(OSError):  # a kernel without huge pages has no advice on them
            advice = sys.MADV_HUGEPAGE if memory is Memory.thp else sys.MADV_NOHUGEPAGE
            sys.madvise(address, length, advice)
        sys.fill(address, length, 0xA5)
        made = Buffer(memory, address, length)
        if memory is Memory.thp:
            _require_huge(made)
        yield made
    finally:
        sys.munmap(start, length + spare)


def _map(memory: Memory, length: int, folder: int | None) -> int:
    access = sys.PROT_READ | sys.PROT_WRITE
    if memory in (Memory.memfd, Memory.file, Memory.dax):
        fd = _memfd() if memory is Memory.memfd else _unlinked(folder)
        try:
            os.ftruncate(fd, length)
            return sys.mmap(length, access, sys.MAP_SHARED, fd)
        finally:
            os.close(fd)
    huge = sys.MAP_HUGETLB if memory is Memory.hugetlb else 0
    return sys.mmap(length, access, sys.MAP_PRIVATE | sys.MAP_ANONYMOUS | huge)


def _memfd() -> int:
    return os.memfd_create("pinlab-hold", os.MFD_CLOEXEC)


def _unlinked(folder: int | None) -> int:
    if folder is None:
        place = os.environ.get("TMPDIR", "/var/tmp")
        fd, name = tempfile.mkstemp(prefix="pinlab-hold-", dir=place)
        os.unlink(name)
        return fd
    name = f"pinlab-hold-{os.urandom(6).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    os.unlink(name, dir_fd=folder)
    return fd


def _require_huge(made: Buffer) -> None:
    frames = made.frames()
    if not len(frames):
        return
    runs = pagemap.folio_runs(frames)
    if any(pages * pagemap.PAGE != HUGE for _, pages in runs):
        raise FieldError(
            "the kernel gave small pages for --memory thp: "
            "/sys/kernel/mm/transparent_hugepage/enabled says never, or memory is fragmented"
        )


def _why_not(memory: Memory, error: OSError) -> str:
    if memory is Memory.hugetlb:
        return "there are no free huge pages: raise vm.nr_hugepages, or take --memory thp"
    return f"no memory to pin ({memory}): {error.strerror}"
