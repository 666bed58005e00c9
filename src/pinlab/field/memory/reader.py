"""What a census and the walkers of holders ask of a source of kernel memory.

A reader never writes, and whatever it loads to be able to read is gone when it is closed. On a
source that is not `frozen` anything may change between two calls: every walk has to bear a
`FaultError`, and every count that matters is read twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pinlab.field.layout.btf import Btf

PAGE_SIZE = 4096
"""Bytes; of every kernel that has a census here (x86-64)."""
OWN = frozenset({"live", "kcore"})
"""Names of the readers of the kernel we run on, whose /proc may be asked beside it."""


@dataclass(frozen=True, slots=True)
class PfnRange:
    """Frames that lie side by side and have a struct page each."""

    first: int
    count: int
    device: bool = False
    """Memory of a device (fsdax), where an idle page may have a reference."""

    @property
    def end(self) -> int:
        """The first frame number behind."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class Chunk:
    """The struct pages of some frames, as they were when it was read."""

    first: int
    """Frame number of row 0."""
    pages: NDArray[np.uint64]
    """Shape (frames, sizeof(struct page) / 8). May be a view that the next chunk overwrites."""


class Reader(Protocol):
    """A source of kernel memory."""

    @property
    def name(self) -> str:
        """live, kcore, core or guest."""

    @property
    def release(self) -> str:
        """The kernel's release, as `uname -r` gives it."""

    @property
    def boot(self) -> str:
        """Identifies one boot of one machine; empty if the source does not tell."""

    @property
    def frozen(self) -> bool:
        """Whether nothing changes while we read: a dump, a stopped guest."""

    @property
    def btf(self) -> Btf:
        """The kernel's types."""

    @property
    def vmemmap(self) -> int:
        """Address of the struct page of frame 0; differs at each boot (KASLR)."""

    @property
    def page_offset(self) -> int:
        """Address at which frame 0 is mapped by the kernel; differs at each boot (KASLR)."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of kernel memory. Raises FaultError if any of them is not mapped."""

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """`size` bytes at each address: shape (addresses, size), and which could be read."""

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        """The struct pages of `ranges`, in order; those that are not mapped are left out."""

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        """A copy of `count` struct pages from frame `first`: shape (count, words).

        Raises FaultError.
        """

    def pointer(self, address: int) -> int:
        """The word of 8 bytes at an address. Raises FaultError."""

    def ranges(self) -> tuple[PfnRange, ...]:
        """The frames that are present, ascending."""

    def symbol(self, name: str) -> int | None:
        """The address of a kernel symbol, or None: some kernels list functions only."""

    def task(self) -> int:
        """The address of some `struct task_struct`; all others are on its list `tasks`."""

    def counters(self) -> dict[str, int]:
        """The counters of /proc/vmstat, settled; empty where the source has none."""

    def close(self) -> None:
        """Give everything back. A second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def pfn_of(reader: Reader, page: int, page_struct_size: int = 64) -> int:
    """The frame number of a `struct page *`."""
    return (page - reader.vmemmap) // page_struct_size
