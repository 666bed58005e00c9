"""What a walker says: who holds which frames how often, since when, and counted where."""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.extents import Extents


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
    """Where the frames are in the owners' address space; None if the kernel does not keep it."""
    length: int | None = None
    """Bytes."""
    accounted_in: tuple[Accounted, ...] = ()
    """Empty: nowhere."""
    seconds: float | None = None
    """How long it has been held, if the kernel keeps that."""
    weak: bool = False
    """Inferred from addresses, or from what lies on a stack: it explains, it does not accuse."""
    inode: tuple[str, int] | None = None
    """Device and number of what holds, if it is a file that can have a name: a pipe."""
