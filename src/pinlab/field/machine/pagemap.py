"""From addresses to frames, for somebody without kernel memory: /proc/PID/pagemap and kpageflags.

What they say is true when it is read and may not be a moment later: pages move, are reclaimed
and are copied on write. A pinned page does not move, but the address may point elsewhere after
an munmap or a fork.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import ReaderError

PAGE = mmap.PAGESIZE

# Documentation/admin-guide/mm/pagemap.rst
_PRESENT = np.uint64(1 << 63)
PFN = np.uint64((1 << 55) - 1)
KPF_ANON = 12
KPF_COMPOUND_TAIL = 16
KPF_HUGE = 17
KPF_THP = 22


def frames(address: int, length: int, pid: int | None = None) -> NDArray[np.uint64]:
    """The frame of each page of a range of a process (our own by default); 0 if there is none.

    Raises ReaderError without the privilege: the kernel then shows every frame as 0.
    """
    first, count = address // PAGE, -(-(address + length) // PAGE) - address // PAGE
    place = Path("/proc") / ("self" if pid is None else str(pid)) / "pagemap"
    try:
        with place.open("rb", buffering=0) as file:
            entries = np.frombuffer(os.pread(file.fileno(), 8 * count, 8 * first), np.uint64)
    except OSError as error:
        raise ReaderError(f"{place} cannot be read: {error.strerror}") from error
    entries = np.pad(entries, (0, count - len(entries)))
    present = (entries & _PRESENT) != 0
    found = np.where(present, entries & PFN, np.uint64(0))
    if present.any() and not found.any():
        raise ReaderError(f"{place} hides frame numbers: CAP_SYS_ADMIN is missing")
    return found


def flags(pfns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """/proc/kpageflags of some frames. Raises ReaderError without the privilege."""
    try:
        with open("/proc/kpageflags", "rb", buffering=0) as file:
            words = [os.pread(file.fileno(), 8, 8 * int(pfn)) for pfn in pfns]
    except OSError as error:
        raise ReaderError(f"/proc/kpageflags cannot be read: {error.strerror}") from error
    return np.frombuffer(b"".join(words), np.uint64)


def folio_runs(pfns: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """Consecutive frames of one folio as (first frame, frames), in the order of `pfns`."""
    tails = (flags(pfns) >> np.uint64(KPF_COMPOUND_TAIL)) & np.uint64(1)
    runs: list[tuple[int, int]] = []
    for pfn, tail in zip(pfns.tolist(), tails.tolist(), strict=True):
        if tail and runs and runs[-1][0] + runs[-1][1] == pfn:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((pfn, 1))
    return runs
