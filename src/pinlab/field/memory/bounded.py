"""A reader that reads no more than a walk may: sizes that come from kernel memory may be anything.

A structure that was freed and used for something else has a pointer's half where a count was.
What a walker knows of a count it checks itself (`Kernel.rows`, `Kernel.pointers`); this is the
bound under all of it, so that a walk ends whatever it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError
from pinlab.field.layout.btf import Btf
from pinlab.field.memory.reader import Chunk, PfnRange, Reader

AT_ONCE: Final = 64 << 20
"""Bytes of one read."""
OF_ONE_THING: Final = 256 << 20
"""Bytes that are read of one thing of a walk: one ring, one pipe, one disk."""
READS: Final = 1 << 22
"""Reads of one thing."""
IN_ALL: Final = 1 << 24
"""Reads of a whole walk, for about a minute."""


class BoundedReader:
    """A reader with a budget, which `begin` fills again. Beyond it everything is a FaultError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.name = reader.name
        self.release = reader.release
        self.boot = reader.boot
        self.frozen = reader.frozen
        self.btf: Btf = reader.btf
        self.left = IN_ALL
        self.begin()

    def begin(self) -> None:
        """What is read from here on belongs to another thing."""
        self.bytes_left, self.reads_left = OF_ONE_THING, READS

    def _spend(self, address: int, size: int, reads: int = 1) -> None:
        self.bytes_left -= size
        self.reads_left -= reads
        self.left -= reads
        if not 0 <= size <= AT_ONCE or min(self.bytes_left, self.reads_left, self.left) < 0:
            raise FaultError(address, size)

    @property
    def vmemmap(self) -> int:
        """As the reader has it."""
        return self._reader.vmemmap

    @property
    def page_offset(self) -> int:
        """As the reader has it."""
        return self._reader.page_offset

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of kernel memory. Raises FaultError."""
        self._spend(address, size)
        return self._reader.read(address, size)

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """`size` bytes at each address. Raises FaultError, if only for the budget."""
        self._spend(0, size * len(addresses), len(addresses))
        return self._reader.read_many(addresses, size)

    def pointer(self, address: int) -> int:
        """The word of 8 bytes at an address. Raises FaultError."""
        self._spend(address, 8)
        return self._reader.pointer(address)

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        """A copy of `count` struct pages. Raises FaultError."""
        self._spend(first, 64 * count)
        return self._reader.pages(first, count)

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        """As the reader has them: how many there are is known from the machine."""
        return self._reader.chunks(ranges)

    def ranges(self) -> tuple[PfnRange, ...]:
        """As the reader has them."""
        return self._reader.ranges()

    def symbol(self, name: str) -> int | None:
        """As the reader has it."""
        return self._reader.symbol(name)

    def task(self) -> int:
        """As the reader has it."""
        return self._reader.task()

    def counters(self) -> dict[str, int]:
        """As the reader has them."""
        return self._reader.counters()

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
