"""What a page holds in memory and on the disk at one moment, and whether the kernel minds.

"The disk" is the image below the loop device: what the file system has sent to its device, and
would get back from it. It is read through the image's own descriptor, so it is the same whether
the loop driver wrote it by way of the host's page cache or past it. Whether the host's disk has
it is not asked.

PG_dirty and PG_writeback are those of /proc/kpageflags, for the frame that is mapped.
"""

from __future__ import annotations

import ctypes
import mmap
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pinlab.field.acts.witness.placement import places
from pinlab.field.acts.witness.scratch import Scratch
from pinlab.field.errors import FieldError
from pinlab.field.machine import pagemap

PAGE: Final = pagemap.PAGE
HEAD: Final = 8
"""So many bytes from the begin of a page are kept."""
ANSWER: Final = b"\x5a"
"""What the device sends, in every byte."""
SENT: Final = ANSWER * HEAD

# Documentation/admin-guide/mm/pagemap.rst
KPF_DIRTY: Final = 4
KPF_WRITEBACK: Final = 8


class Moment(StrEnum):
    """When a look was taken."""

    SYNCED = "synced"
    FSYNC = "fsync"
    ANSWERED = "answered"
    SECOND_FSYNC = "second_fsync"
    LATER = "later"
    THIRD_FSYNC = "third_fsync"
    SYNCFS = "syncfs"


PROMISES: Final = (Moment.SYNCED, Moment.FSYNC, Moment.SECOND_FSYNC, Moment.THIRD_FSYNC)
"""Just before these fsync returned 0: what was in memory then is to be on the disk."""


class Whose(StrEnum):
    """Whose bytes a page is full of."""

    OLD = "the old"
    DEVICE = "the device's"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Bytes:
    """The bytes of a page, told by their first."""

    head: bytes
    whose: Whose


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the file at one moment."""

    index: int
    pfn: int
    dirty: bool
    writeback: bool
    memory: Bytes
    disk: Bytes | None
    """None: the file system has written it nowhere."""
    at: int | None
    """The byte of the image at which `disk` begins."""
    same: bool
    """Whether all bytes on the disk are those in memory."""

    @property
    def kept(self) -> bool:
        """Whether the disk has what is in memory, and the kernel thinks so too."""
        return self.same and not self.dirty


@dataclass(frozen=True, slots=True)
class Look:
    """All pages of the file at one moment. `ts_ns` is when the flags were read."""

    moment: Moment
    ts_ns: int
    pages: tuple[Page, ...]

    @property
    def dirty(self) -> tuple[int, ...]:
        """The pages that are PG_dirty."""
        return tuple(page.index for page in self.pages if page.dirty)

    @property
    def differing(self) -> tuple[int, ...]:
        """The pages of which the disk has other bytes than memory."""
        return tuple(page.index for page in self.pages if not page.same)

    @property
    def kept(self) -> bool:
        """Whether every page is."""
        return all(page.kept for page in self.pages)


@dataclass(frozen=True, slots=True)
class Subject:
    """The file that is looked at."""

    disk: Scratch
    fd: int
    memory: mmap.mmap
    mark: bytes
    """What we wrote at the begin of each page; the rest is zeros."""

    @property
    def address(self) -> int:
        """Where the file is mapped."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return len(self.memory) // PAGE

    def look(self, moment: Moment) -> Look:
        """Look at every page: first what may change soon. Raises FieldError, OSError."""
        memory = self.memory[:]
        frames = pagemap.frames(self.address, len(memory))
        if not frames.all():
            raise FieldError("a page of the file is not mapped any more")
        flags = pagemap.flags(frames).tolist()
        ts_ns = time.monotonic_ns()
        where = places(self.disk.kind, self.fd, self.pages)
        pages = []
        for index, (pfn, bits, at) in enumerate(zip(frames.tolist(), flags, where, strict=True)):
            here = memory[index * PAGE : (index + 1) * PAGE]
            there = None if at is None else self.disk.read(at, PAGE)
            pages.append(
                Page(
                    index,
                    pfn,
                    bool(bits >> KPF_DIRTY & 1),
                    bool(bits >> KPF_WRITEBACK & 1),
                    self.tell(here),
                    None if there is None else self.tell(there),
                    at,
                    here == there,
                )
            )
        return Look(moment, ts_ns, tuple(pages))

    def tell(self, content: bytes) -> Bytes:
        """Whose bytes these are."""
        if content == ANSWER * PAGE:
            whose = Whose.DEVICE
        elif content == self.mark.ljust(PAGE, b"\0"):
            whose = Whose.OLD
        else:
            whose = Whose.NEITHER
        return Bytes(content[:HEAD], whose)
