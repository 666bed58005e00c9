"""A growing array that never holds memory it does not use.

Pages of an anonymous mapping cost nothing until they are written, and the kernel can make a
mapping longer without copying it: neither is true of numpy's own arrays.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST = 1 << 12
GROWTH = 1.5
HUGE = 1 << 21
"""Bytes of a huge page. A column that is shorter stays on small ones: a search of a thousand states
would spend more time on clearing huge ones than on its states."""


class Column:
    """`rows` rows of `width` values of `dtype`; `array` is the view to use until `reserve`."""

    def __init__(self, dtype: npt.DTypeLike, width: int = 1, rows: int = LEAST) -> None:
        self.dtype = np.dtype(dtype)
        self.width = width
        self.memory = mmap.mmap(-1, rows * self.row_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._use_huge_pages()
        self.array = self._view()

    @property
    def row_bytes(self) -> int:
        return self.width * self.dtype.itemsize

    @property
    def rows(self) -> int:
        return len(self.array)

    @property
    def address(self) -> int:
        """Where it lies until the next `reserve`."""
        return self.array.ctypes.data

    def reserve(self, rows: int) -> None:
        """Make room for `rows` rows. Every other view of the array must be gone.

        Raises MemoryError when the system has no more.
        """
        if rows <= self.rows:
            return
        rows = max(rows, int(self.rows * GROWTH))
        self.array = np.empty(0, self.dtype)
        try:
            self.memory.resize(rows * self.row_bytes)
        except OSError as error:
            raise MemoryError(f"no room for {rows:,} rows of {self.row_bytes} bytes") from error
        finally:
            self._use_huge_pages()
            self.array = self._view()

    def _use_huge_pages(self) -> None:
        """States are read at random: with small pages, finding them takes longer than reading."""
        if len(self.memory) >= HUGE:
            with suppress(OSError):  # a kernel without huge pages
                self.memory.madvise(mmap.MADV_HUGEPAGE)

    def _view(self) -> npt.NDArray[Any]:
        array = np.frombuffer(self.memory, self.dtype)
        return array if self.width == 1 else array.reshape(-1, self.width)
