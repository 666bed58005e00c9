"""What a walker says: who holds which frames how often, since when, and counted where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.extents import Extents
from pinlab.field.machine.pagemap import PAGE

ENDED = 0
"""The number of a process that has ended; its memory is still counted in."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that has the holder, and by which descriptor if by one."""

    pid: int
    command: str
    fd: int | None = None
    by: str = ""
    """How, if by no descriptor: "in flight"."""

    def __lt__(self, other: Owner) -> bool:
        return self._key < other._key

    @property
    def _key(self) -> tuple[int, str, int, str]:
        return self.pid, self.command, -1 if self.fd is None else self.fd, self.by


class Mapped(StrEnum):
    """Whether an owner has a claim's frames in its address space now."""

    there = "there"
    """Where they were registered, or where they were found."""
    elsewhere = "elsewhere"
    """At another address (mremap)."""
    stale = "stale"
    """Other pages are there, or none yet (MADV_DONTNEED, fork): what a device writes nobody
    reads."""
    unmapped = "unmapped"
    """Nothing is mapped there any more (munmap)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One holder's word on what it holds. Counted once, however many processes share it."""

    kind: str
    """The walker that says so."""
    detail: str
    """Which of a process's several: "buffer 3", "READ on loop0"."""
    owners: tuple[Owner, ...]
    """Ascending; empty if no process was found (a kernel thread, a file in flight)."""
    extents: Extents
    references: bool = False
    """Plain references, which no counter of pins knows."""
    address: int | None = None
    """Where the frames were registered; if the kernel does not keep that, where they were found."""
    length: int | None = None
    """Bytes."""
    accounted_in: tuple[Accounted, ...] = ()
    """Empty: nowhere."""
    seconds: float | None = None
    """How long it has been held, if the kernel keeps that."""
    weak: bool = False
    """Inferred from addresses, or from what lies on a stack: it explains, it does not accuse."""
    mapped: Mapped | None = None
    """None: not looked at, or it cannot be told."""
    mapped_at: int | None = None
    """The address, if elsewhere."""
    mapped_by: int | None = None
    """The process that was found to have, or not to have, the frames."""
    stale_pages: int = 0
    """How many of its pages are not there, if stale."""
    payer: int | None = None
    """The process in whose VmPin it is counted; `ENDED` if it has."""
    device: str = ""
    """The disk that its I/O is in flight on, by its name."""
    inode: int = 0
    """The address of what holds, if it is a file that can have a name (a pipe), as an inode."""

    @property
    def known(self) -> bool:
        """Whether its frames are; without privilege they may be of nobody's."""
        return bool(len(self.extents)) or not self.weak

    @property
    def size(self) -> int:
        """Bytes that it holds; of frames that are not known, as many as were registered."""
        return self.extents.frames * PAGE if self.known else self.length or 0
