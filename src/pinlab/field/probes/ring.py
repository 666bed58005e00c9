"""Our end of a BPF ring buffer whose records are all alike: read as an array, not one by one.

Source: Documentation/bpf/ringbuf.rst. The data is mapped twice in a row, so what is there is
always one piece of memory.
"""

from __future__ import annotations

import mmap
import os
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pinlab.field.machine import bpf

HEADER: Final = 8
_BUSY, _DISCARDED = 1 << 31, 1 << 30


class Ring:
    """A ring of records of one type."""

    def __init__(self, size: int, record: np.dtype[Any]) -> None:
        """`size` bytes, a power of two; `record` with its header. Raises OSError."""
        self.size = size
        self.fd = bpf.ring_map(size)
        self._record = record
        try:
            self._consumer = mmap.mmap(self.fd, mmap.PAGESIZE)
            length = mmap.PAGESIZE + 2 * size
            self._data = mmap.mmap(self.fd, length, prot=mmap.PROT_READ, offset=mmap.PAGESIZE)
            # Numpy loads and stores a word at once. `struct` does so byte by byte, and the kernel
            # read halves of a position: it took the ring for full.
            self._consumed = np.frombuffer(self._consumer, np.uint64, 1)
            self._produced = np.frombuffer(self._data, np.uint64, 1)
        except OSError:
            os.close(self.fd)
            raise

    def take(self, most: int) -> npt.NDArray[Any]:
        """At most so many of the records that are there, and give their room back."""
        at, end = int(self._consumed[0]), int(self._produced[0])
        place = mmap.PAGESIZE + (at & (self.size - 1))
        there = min((end - at) // self._record.itemsize, most)
        if not there:
            return np.empty(0, self._record)
        found = np.frombuffer(self._data, self._record, there, place)
        unfinished = np.flatnonzero(found["header"] & _BUSY)
        # Copied whole: what is behind the consumer's position may be written over.
        taken = found[: unfinished[0] if len(unfinished) else there].copy()
        del found
        self._consumed[0] = at + len(taken) * self._record.itemsize
        whole: npt.NDArray[Any] = taken[taken["header"] & _DISCARDED == 0]
        return whole

    def close(self) -> None:
        """Give it back."""
        del self._consumed, self._produced
        self._consumer.close()
        self._data.close()
        os.close(self.fd)
