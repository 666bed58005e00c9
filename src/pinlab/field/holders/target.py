"""Which part of an attribution was asked for: everything, a process, a frame, a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinlab.errors import UsageError
from pinlab.field.census.files import key_of
from pinlab.field.census.meant import Key, meant, pipe_at
from pinlab.field.census.place import Placed, place
from pinlab.field.census.result import rows_of
from pinlab.field.errors import FaultError, FieldError
from pinlab.field.holders.attribution import Attribution, Share
from pinlab.field.machine.groups import BlockDevice
from pinlab.field.machine.namespaces import first_pid_namespace
from pinlab.field.memory.reader import OWN, Reader
from pinlab.field.memory.view import Structs

FRAME_BITS = 52
"""A physical address has at most 64 bits, and a page 12."""


class NoProcessError(UsageError):
    """There is no process of this number."""


class Sort(StrEnum):
    """What a target is."""

    everything = "everything"
    process = "process"
    frame = "frame"
    file = "file"
    cgroup = "cgroup"
    device = "device"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about."""

    sort: Sort
    number: int = 0
    """The process or the frame."""
    path: Path | None = None
    name: str = ""
    """Of a cgroup or a device, as it was given."""
    processes: frozenset[int] = frozenset()
    """Of a cgroup."""
    device: BlockDevice | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        if self.name:
            return f"{self.sort} {self.name}"
        return {
            Sort.process: f"process {self.number}",
            Sort.frame: f"frame {self.number:#x}",
        }.get(self.sort, "everything")


def parse(text: str) -> Target:
    """12345 is a process, 0x1a2b3c or pfn:1715004 a frame, anything else a file."""
    if not text:
        raise UsageError("the name of the file is empty: give a path, a process or a frame")
    if re.fullmatch(r"\d+", text):
        return Target(Sort.process, int(text))
    if match := re.fullmatch(r"pfn:(\d+)|0x([0-9a-f]+)", text.lower()):
        frame = int(match[1]) if match[1] else int(match[2], 16)
        if frame >> FRAME_BITS:
            raise UsageError(f"{text} is no frame: no memory has so many")
        return Target(Sort.frame, frame)
    return Target(Sort.file, path=Path(text))


@dataclass(frozen=True)
class Answer:
    """The part of an attribution that a target is about."""

    target: Target
    attribution: Attribution
    shares: tuple[Share, ...]
    rows: NDArray[np.intp]
    """Which folios of the census."""
    placed: Placed
    """Those folios of `rows` that are not explained, or claimed too often, with whose they are."""

    @property
    def is_held(self) -> bool:
        """Whether anybody claims a pin of it, though it may be gone by now."""
        return any(not share.claim.references for share in self.shares)

    @property
    def pins(self) -> int:
        """Pins on the target's folios."""
        return int(self.attribution.pins[self.rows].sum())

    @property
    def unexplained(self) -> int:
        """Pins of those that nobody claims."""
        return int(self.attribution.unknown[self.rows].sum())

    @property
    def overcount(self) -> int:
        """Pins claimed there that are not there, and of these claims on frames not pinned."""
        missing = sum(share.missing for share in self.shares)
        return int(self._settled(self.attribution.overcount).sum()) + missing

    @property
    def references(self) -> int:
        """Plain references on the target's folios that no book explains."""
        return int(self.attribution.census.references[self.rows].sum())

    @property
    def claimed_references(self) -> int:
        """Plain references of those that walkers claim."""
        whole = self.attribution
        known = np.zeros_like(whole.explained) if whole.plain is None else whole.plain
        return int(np.minimum(known, whole.census.references)[self.rows].sum())

    @property
    def strangers(self) -> int:
        """Plain references of those that no walker claims either."""
        return int(self.attribution.strangers[self.rows].sum())

    @property
    def stale(self) -> int:
        """Claims whose owners have other pages where these were registered."""
        return sum(share.stale for share in self.shares)

    def _settled(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self.rows[self.attribution.settled[self.rows]]
        return counts[rows]

    @property
    def unsure(self) -> int:
        """Pins that nobody claims and that may be none: they changed, or may be references."""
        return int(self.attribution.unexplained[self.rows].sum()) - self.unexplained

    @property
    def unsettled(self) -> int:
        """How many of the folios changed while they were read."""
        return int((~self.attribution.settled[self.rows]).sum())


def answer(reader: Reader, whole: Attribution, target: Target) -> Answer:
    """What `whole` says about a target. Raises UsageError for one that is not there."""
    folios = whole.census.folios
    everything = np.arange(len(folios))
    match target.sort:
        case Sort.everything:
            shares, rows = whole.shares, everything
        case Sort.process:
            _still_there(reader.name, target.number)
            shares, rows = _of_processes(reader, whole, frozenset({target.number}))
        case Sort.cgroup:
            _require_first_namespace(str(target))
            shares, rows = _of_processes(reader, whole, target.processes)
        case Sort.device:
            assert target.device is not None
            shares, rows = _of_device(reader, whole, target.device)
        case Sort.frame:
            found, inside = rows_of(folios, np.array([target.number], np.uint64))
            shares = tuple(s for s in whole.shares if s.claim.extents.covers(target.number))
            rows = found[inside]
            if not shares:
                _require_frame(reader, target.number)
        case Sort.file:
            assert target.path is not None
            shares, rows = _of_file(reader, whole, target.path)
    odd = (whole.unexplained > 0) | (whole.overcount > 0)
    if whole.asked_references:
        odd |= whole.strangers > 0
    nowhere = (None,) * len(folios)
    part = Placed(whole.census, nowhere, nowhere).take(rows[odd[rows]])
    return Answer(target, whole, shares, rows, place(reader, part.census))


def _of_processes(
    reader: Reader, whole: Attribution, pids: frozenset[int]
) -> tuple[tuple[Share, ...], NDArray[np.intp]]:
    """What some processes hold, and what others hold of their memory."""
    own = tuple(s for s in whole.shares if any(owner.pid in pids for owner in s.claim.owners))
    rows = _union(_claimed(whole, own), _owned(reader, whole, pids))
    return _these(whole, (*own, *_over(whole, rows, np.zeros(0, np.uint64)))), rows


def _of_device(
    reader: Reader, whole: Attribution, device: BlockDevice
) -> tuple[tuple[Share, ...], NDArray[np.intp]]:
    """I/O in flight on a device, and what is held of the pages of its files."""
    placed = place(reader, whole.census)
    of_files = [file is not None and file.device in device.numbers for file in placed.files]
    rows = np.flatnonzero(np.array(of_files, np.bool_))
    on_it = tuple(s for s in whole.shares if s.claim.device and s.claim.device == device.disk)
    own = (*on_it, *_over(whole, rows, np.zeros(0, np.uint64)))
    return _these(whole, own), _union(rows, _claimed(whole, on_it))


def _these(whole: Attribution, shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """Some shares once each, in their order."""
    chosen = {id(share) for share in shares}
    return tuple(share for share in whole.shares if id(share) in chosen)


def _union(*parts: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.unique(np.concatenate(parts)).astype(np.intp)


def _claimed(whole: Attribution, shares: tuple[Share, ...]) -> NDArray[np.intp]:
    """The folios that lie under some claims."""
    parts = [np.zeros(0, np.intp)]
    for share in shares:
        rows, inside = rows_of(whole.census.folios, share.claim.extents.pfn)
        parts.append(rows[inside])
    return _union(*parts)


def _owned(reader: Reader, whole: Attribution, pids: frozenset[int]) -> NDArray[np.intp]:
    """The anonymous folios of some processes, whoever claims them."""
    placed = place(reader, whole.census)
    mine = [mapper is not None and mapper.pid in pids for mapper in placed.mappers]
    return np.flatnonzero(np.array(mine, np.bool_))


def _still_there(source: str, pid: int) -> None:
    try:
        require_process(source, pid)
    except NoProcessError as error:
        raise FieldError(f"process {pid} ended while its pins were looked for") from error


def require_process(source: str, pid: int) -> None:
    """Raise NoProcessError if there is none, FieldError if its number is not the kernel's.

    `source` is the name of the reader: in a dump nobody knows who was there.
    """
    if source not in OWN:
        return
    _require_first_namespace(f"process {pid}")
    if not Path(f"/proc/{pid}").exists():
        raise NoProcessError(f"there is no process {pid}: give the number of one that runs")


def _require_frame(reader: Reader, pfn: int) -> None:
    """Raise UsageError for a frame behind the last."""
    end = max((each.end for each in reader.ranges()), default=0)
    if end and pfn >= end:
        raise UsageError(f"there is no frame {pfn:#x}: the last one is {end - 1:#x}")


def process_of(number: int) -> int:
    """The process that a thread belongs to, by its number; the number itself if it is none."""
    try:
        status = Path(f"/proc/{number}/status").read_bytes()
    except OSError:
        return number
    of = next((line.split()[1] for line in status.split(b"\n") if line.startswith(b"Tgid:")), b"")
    return int(of) if of.isdigit() else number


def of_thread(target: Target) -> Target:
    """The process instead of one of its threads: threads have no memory of their own."""
    process = process_of(target.number)
    if process == target.number:
        return target
    name = f"{process}, of which {target.number} is a thread"
    return replace(target, number=process, name=name)


def _require_first_namespace(what: str) -> None:
    """Raise FieldError where numbers of processes are not those of the kernel."""
    if not first_pid_namespace():
        raise FieldError(
            f"{what} cannot be asked about from inside a PID namespace, where the kernel has other "
            "numbers of processes; run this in the first PID namespace"
        )


def _of_file(
    reader: Reader, whole: Attribution, path: Path
) -> tuple[tuple[Share, ...], NDArray[np.intp]]:
    """Claims and folios of a file: by device and inode, and by its page cache if it is ours."""
    if reader.name not in OWN:
        placed = place(reader, whole.census)
        named = [file is not None and file.path == str(path) for file in placed.files]
        rows = np.flatnonzero(named)
        return _over(whole, rows, np.zeros(0, np.uint64)), rows
    if (key := pipe_at(path)) is not None:
        structs = Structs(reader)
        of_pipe = tuple(share for share in whole.shares if _is(structs, share.claim.inode, key))
        return of_pipe, _claimed(whole, of_pipe)
    file = meant(path)
    rows = np.flatnonzero(file.rows(place(reader, whole.census)))
    cached = np.zeros(0, np.uint64) if file.frames is None else file.frames
    return _over(whole, rows, cached), rows


def _is(structs: Structs, inode: int, key: Key) -> bool:
    """Whether the inode at an address is the one of this device and number."""
    try:
        return bool(inode) and key_of(structs.at("inode", inode)) == key
    except FaultError:
        return False  # it is gone


def _over(
    whole: Attribution, rows: NDArray[np.intp], frames: NDArray[np.uint64]
) -> tuple[Share, ...]:
    """The claims that lie on some folios, or on some frames."""
    chosen = []
    for share in whole.shares:
        extents = share.claim.extents
        at, inside = rows_of(whole.census.folios, extents.pfn)
        if np.isin(at[inside], rows).any() or np.isin(extents.each_frame(), frames).any():
            chosen.append(share)
    return tuple(chosen)
