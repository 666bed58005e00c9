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
    return tuple(
        _compared(claim)
        if claim.address is not None and not claim.weak and claim.mapped is None
        else claim
        for claim in claims
    )


@dataclass(frozen=True, slots=True)
class _View:
    """What one process has at the address of a claim."""

    pid: int
    missing: int
    """Pages that are not those of the claim."""
    covered: bool
    """Whether anything is mapped there."""


def _compared(claim: Claim) -> Claim:
    assert claim.address is not None
    frames = claim.extents.each_frame()
    first, last = claim.address // PAGE, -(-(claim.address + (claim.length or 0)) // PAGE)
    if last - first != len(frames) or not len(frames):
        return claim
    pids = {owner.pid for owner in claim.owners} | ({claim.payer} if claim.payer else set())
    seen = [view for pid in sorted(pids) if (view := _view(pid, first * PAGE, frames)) is not None]
    if not seen:
        return claim
    best = min(seen, key=lambda view: view.missing)
    if not best.missing:
        return replace(claim, mapped=Mapped.there, mapped_by=best.pid)
    for view in seen:
        if (at := addresses.find(view.pid, {0: frames}).get(0)) is not None:
            at += claim.address % PAGE
            return replace(claim, mapped=Mapped.elsewhere, mapped_at=at, mapped_by=view.pid)
    state = Mapped.stale if any(view.covered for view in seen) else Mapped.unmapped
    return replace(claim, mapped=state, mapped_by=best.pid, stale_pages=best.missing)


def _view(pid: int, address: int, frames: NDArray[np.uint64]) -> _View | None:
    """What a process has there; None if that cannot be known."""
    end = address + len(frames) * PAGE
    try:
        now = pagemap.frames(address, end - address, pid)
        maps = Path(f"/proc/{pid}/maps").read_bytes()
        covered = any(start < end and address < stop for start, stop in addresses.stretches(maps))
        other = now != frames
        if covered and (other & (now == 0)).any():
            # A page of a file that is mapped and not there is brought back by a touch.
            absent = np.flatnonzero(other & (now == 0))
            anonymous = pagemap.flags(frames[absent]) >> np.uint64(pagemap.KPF_ANON) & np.uint64(1)
            other[absent[anonymous == 0]] = False
    except (OSError, ValueError, ReaderError):
        return None
    return _View(pid, int(other.sum()), covered)
