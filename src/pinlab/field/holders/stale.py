"""Claims compared with what their owners map now: is it still their memory that is pinned?

A pin keeps a page, and not that the page is mapped where it was. After MADV_DONTNEED, munmap or
fork another page may be there: then the device writes where nobody reads. By /proc/PID/pagemap,
so only on the running kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import ReaderError
from pinlab.field.holders import addresses
from pinlab.field.holders.claim import Claim, Mapped
from pinlab.field.machine import pagemap
from pinlab.field.machine.pagemap import PAGE


def compare(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims whose address the kernel keeps, with whether their frames are there now."""
    result = list(claims)
    machine = _Machine()
    away: dict[int, list[_View]] = {}
    for number, claim in enumerate(result):
        seen = machine.views(claim)
        best = min(seen, key=lambda view: view.missing, default=None)
        if best is not None and not best.missing:
            result[number] = replace(claim, mapped=Mapped.there, mapped_by=best.pid)
        elif best is not None:
            away[number] = seen
    moved = _moved(result, away)
    for number, seen in away.items():
        result[number] = _away(result[number], seen, moved.get(number))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class _View:
    """What one process has at the address of a claim."""

    pid: int
    missing: int
    """Pages that are not those of the claim."""
    covered: bool
    """Whether anything is mapped there."""


class _Machine:
    """The processes of this machine; each is asked once what it maps."""

    def __init__(self) -> None:
        self._mappings: dict[int, list[tuple[int, int]]] = {}

    def views(self, claim: Claim) -> list[_View]:
        """What the owners of a claim, and who pays for it, have there; none if nobody keeps
        where, or if it cannot be known."""
        if claim.address is None or claim.weak or claim.mapped is not None:
            return []
        frames = claim.extents.each_frame()
        first, last = claim.address // PAGE, -(-(claim.address + (claim.length or 0)) // PAGE)
        if last - first != len(frames) or not len(frames):
            return []
        pids = {owner.pid for owner in claim.owners} | ({claim.payer} if claim.payer else set())
        seen = (self._view(pid, first * PAGE, frames) for pid in sorted(pids))
        return [view for view in seen if view is not None]

    def _view(self, pid: int, address: int, frames: NDArray[np.uint64]) -> _View | None:
        end = address + len(frames) * PAGE
        try:
            now = pagemap.frames(address, end - address, pid)
            other = now != frames
            if not other.any():
                return _View(pid, 0, covered=True)
            mappings = self._mapped(pid)
            covered = any(start < end and address < stop for start, stop in mappings)
            absent = np.flatnonzero(other & (now == 0))
            if covered and len(absent):
                # A page of a file that is mapped and not there is brought back by a touch.
                anonymous = pagemap.flags(frames[absent]) >> np.uint64(pagemap.KPF_ANON)
                other[absent[anonymous & np.uint64(1) == 0]] = False
        except (OSError, ValueError, ReaderError):
            return None
        return _View(pid, int(other.sum()), covered)

    def _mapped(self, pid: int) -> list[tuple[int, int]]:
        if pid not in self._mappings:
            maps = Path(f"/proc/{pid}/maps").read_bytes()
            self._mappings[pid] = list(addresses.stretches(maps))
        return self._mappings[pid]


def _moved(claims: list[Claim], away: dict[int, list[_View]]) -> dict[int, tuple[int, int]]:
    """Where the frames of claims that are not in their place are: process and address."""
    wanted: dict[int, dict[int, NDArray[np.uint64]]] = {}
    for number, seen in away.items():
        for view in seen:
            wanted.setdefault(view.pid, {})[number] = claims[number].extents.each_frame()
    found: dict[int, tuple[int, int]] = {}
    for pid, frames in wanted.items():
        for number, at in addresses.find(pid, frames).items():
            found.setdefault(number, (pid, at))
    return found


def _away(claim: Claim, seen: list[_View], moved: tuple[int, int] | None) -> Claim:
    """A claim whose frames are not where they were registered."""
    if moved is not None:
        pid, page = moved
        at = page + (claim.address or 0) % PAGE
        return replace(claim, mapped=Mapped.elsewhere, mapped_at=at, mapped_by=pid)
    best = min(seen, key=lambda view: view.missing)
    state = Mapped.stale if any(view.covered for view in seen) else Mapped.unmapped
    return replace(claim, mapped=state, mapped_by=best.pid, stale_pages=best.missing)
