"""Where in a process's address space some frames are, for holders that do not keep it.

By /proc/PID/pagemap, so only on the running kernel, and only as true as that: the pages may have
been unmapped since they were pinned, or be mapped twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinlab.field.holders.claim import Claim, Mapped
from pinlab.field.holders.extents import Extents
from pinlab.field.machine.pagemap import PAGE, PFN

MOST = 1 << 28
"""Bytes of pagemap that are read of one process: 128 GiB of its address space."""
PIECE = 1 << 21
"""Pages whose entries are in memory at once, 16 MiB: a process may map as much as it likes."""


def locate(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims, with an address where a process of theirs has all their frames in a row."""
    claims = tuple(claims)
    wanted: dict[int, list[int]] = {}
    for number, claim in enumerate(claims):
        if claim.address is None and len(claim.extents):
            for pid in {owner.pid for owner in claim.owners}:
                wanted.setdefault(pid, []).append(number)
    found: dict[int, tuple[int, int]] = {}
    for pid, numbers in wanted.items():
        sought = {n: _once(claims[n].extents) for n in numbers if n not in found}
        found |= {n: (at, pid) for n, at in find(pid, sought).items()}
    result = list(claims)
    for n, (address, pid) in found.items():
        length = claims[n].length or len(_once(claims[n].extents)) * PAGE
        result[n] = replace(
            claims[n], address=address, length=length, mapped=Mapped.there, mapped_by=pid
        )
    return tuple(result)


def _once(extents: Extents) -> NDArray[np.uint64]:
    """The frames in order, without those that come again (a page that was sent twice)."""
    frames = extents.each_frame()
    _, first = np.unique(frames, return_index=True)
    return frames[np.sort(first)]


def find(pid: int, frames: dict[int, NDArray[np.uint64]]) -> dict[int, int]:
    """Where a process has frames in a row: the address, by the key of `frames`."""
    found: dict[int, int] = {}
    left = _Sought(frames)
    for start, pfns in _mapped(pid, left.longest):
        for number, page in left.matches(pfns):
            found[number] = start + page * PAGE
        if not left:
            break
    return found


class _Sought:
    """Claims by their frames, the first of which says where in a mapping to look."""

    def __init__(self, frames: dict[int, NDArray[np.uint64]]) -> None:
        self.longest = max(map(len, frames.values()), default=0)
        self._by_first: dict[int, dict[bytes, list[int]]] = {}
        for number, each in frames.items():
            alike = self._by_first.setdefault(int(each[0]), {})
            alike.setdefault(each.tobytes(), []).append(number)

    def __len__(self) -> int:
        return len(self._by_first)

    def matches(self, pfns: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
        """Claims and the page where they have their frames in a row; they are sought no more."""
        firsts = np.array(list(self._by_first), np.uint64)
        for page in np.flatnonzero(np.isin(pfns, firsts)).tolist():
            alike = self._by_first.get(int(pfns[page]), {})
            for frames in list(alike):
                if pfns[page : page + len(frames) // pfns.itemsize].tobytes() == frames:
                    yield from ((number, page) for number in alike.pop(frames))
            if not alike:
                self._by_first.pop(int(pfns[page]), None)


def _mapped(pid: int, longest: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Address and frames of each stretch of mappings that touch each other, in pieces.

    A piece overlaps the one before, so that `longest` frames in a row are in one of them.
    """
    try:
        mappings = list(stretches(Path(f"/proc/{pid}/maps").read_bytes()))
        with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as file:
            budget = MOST
            for start, end in mappings:
                size = (end - start) // PAGE * 8
                if size > budget:
                    continue
                budget -= size
                pages = max(PIECE, 2 * longest)
                for first in range(start // PAGE, end // PAGE, pages - longest):
                    count = min(pages, end // PAGE - first)
                    data = os.pread(file.fileno(), 8 * count, 8 * first)
                    entries = np.frombuffer(data[: len(data) // 8 * 8], np.uint64)
                    present = entries >> np.uint64(63) != 0
                    yield first * PAGE, np.where(present, entries & PFN, np.uint64(0))
    except (OSError, ValueError, OverflowError):
        return  # it ended, or its list was cut in the middle


def stretches(maps: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of what /proc/PID/maps has, with neighbours as one. Raises ValueError."""
    current: tuple[int, int] | None = None
    for line in maps.split(b"\n")[:-1]:
        start, end = (int(word, 16) for word in line.split()[0].split(b"-"))
        if start >> 63:
            continue  # vsyscall
        if current is not None and current[1] == start:
            current = current[0], end
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current
