"""One hazard, from a clean file to what the monitor says of it.

All begin alike: a file of four pages on a file system of our own, mapped shared, written and
synced; then a direct read from a device that withholds its answer, into that mapping. So the
pages are pinned, the device may store into them at any time, and the file system does not know.

- o1: fsync now. The pages are written back while the device owns them.
- o2: the same, then the device answers: clean pages become dirty and nobody asked the file system.
- truncate: the file is cut to nothing while the device owns its pages, and the answer goes to
  pages that no file has.

The control run is the same with the pin released first, and must hold.
"""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pinlab.field.errors import FieldError
from pinlab.field.events import names
from pinlab.field.events.monitor import Monitor, Violation
from pinlab.field.events.program import Filter
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.stream import Cost, Stream
from pinlab.field.hold.kinds import bio
from pinlab.field.hold.memory import Buffer, Memory
from pinlab.field.witness.scratch import FileSystem, Scratch, scratch
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict

PAGES: Final = 4
PAGE: Final = mmap.PAGESIZE
ANSWER: Final = b"\x5a"
"""What the device sends, in every byte."""

SETTLE = 2.0
"""Seconds to wait for the events of what was done."""


class Hazard(StrEnum):
    """What is made to happen."""

    o1 = "o1"
    o2 = "o2"
    truncate = "truncate"


OBJECTIVES = {Hazard.o1: ("O1",), Hazard.o2: ("O2",), Hazard.truncate: ("O1", "O2")}


@dataclass(frozen=True, slots=True)
class Step:
    """What was done or found, and when."""

    ts_ns: int
    text: str


@dataclass(slots=True)
class Scene:
    """What happened."""

    hazard: Hazard
    file_system: FileSystem
    control: bool
    steps: list[Step] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    meta: Meta | None = None
    cost: Cost | None = None

    def say(self, text: str) -> None:
        """Add a step."""
        self.steps.append(Step(time.monotonic_ns(), text))

    @property
    def orphaned(self) -> list[Row]:
        """Folios that left the page cache while a device held them."""
        held: set[int] = set()
        found = []
        for row in self.rows:
            if row.kind is Event.PIN:
                held.add(row.head_pfn)
            elif row.kind is Event.UNPIN:
                held.discard(row.head_pfn)
            elif row.kind is Event.CACHE_DEL and row.head_pfn in held and row.pins:
                found.append(row)
        return found

    @property
    def reproduced(self) -> bool:
        """Whether the hazard was seen."""
        return bool(self.orphaned if self.hazard is Hazard.truncate else self.violations)


def play(hazard: Hazard, kind: FileSystem, *, control: bool = False) -> Scene:
    """Make the hazard happen on a file system of our own. Raises FieldError, OSError."""
    scene = Scene(hazard, kind, control)
    with ExitStack() as stack:
        disk = stack.enter_context(scratch(kind))
        fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=disk.mount)
        stack.callback(os.close, fd)
        os.ftruncate(fd, PAGES * PAGE)
        memory = stack.enter_context(mmap.mmap(fd, PAGES * PAGE, flags=mmap.MAP_SHARED))
        mark = os.urandom(16)
        for page in range(PAGES):
            memory[page * PAGE : page * PAGE + 16] = mark
        os.fsync(fd)
        found = os.fstat(fd)
        scene.say(f"a file of {PAGES} pages on {kind}, mapped shared, written and synced: clean")
        only = Filter(_filesystem_device(kind, found), found.st_ino)
        stream = stack.enter_context(Stream(only=only))
        _act(scene, disk, fd, memory, mark)
        _judge(scene, stream)
    return scene


def _filesystem_device(kind: FileSystem, found: os.stat_result) -> int | None:
    """The device of the super block; btrfs tells user space another, one for each subvolume."""
    return None if kind is FileSystem.btrfs else names.dev_t(found.st_dev)


def _act(scene: Scene, disk: Scratch, fd: int, memory: mmap.mmap, mark: bytes) -> None:
    anchor = ctypes.c_char.from_buffer(memory)
    pages = Buffer(Memory.file, ctypes.addressof(anchor), PAGES * PAGE)
    del anchor
    with ExitStack() as hold:
        held = hold.enter_context(bio.make(pages))
        scene.say(f"a direct read into the mapping is in flight, held by fd {held.fd}: pinned")
        if scene.control:
            hold.close()
            scene.say("control: the device has answered and the pins are gone")
        if scene.hazard is Hazard.truncate:
            os.ftruncate(fd, 0)
            scene.say("ftruncate(0) returned" + ("" if scene.control else " while pinned"))
        else:
            began = time.perf_counter()
            os.fsync(fd)
            took = (time.perf_counter() - began) * 1e3
            when = "" if scene.control else " while the device may store"
            scene.say(f"fsync returned 0 after {took:.1f} ms{when}")
            _compare(scene, disk, memory, mark)
        hold.close()
        if not scene.control:
            scene.say("the device has answered and the pins are gone")
            if scene.hazard is not Hazard.truncate:
                _compare(scene, disk, memory, mark)
    if scene.hazard is Hazard.o2:
        os.fsync(fd)
        scene.say("a second fsync returned 0")
        _compare(scene, disk, memory, mark)


def _compare(scene: Scene, disk: Scratch, memory: mmap.mmap, mark: bytes) -> None:
    """The bytes in memory, on the disk, and those that the device sends."""
    sent = ANSWER * PAGE
    in_memory = "the device's" if memory[:PAGE] == sent else "the old"
    on_disk = "the device's" if disk.find(sent) is not None else None
    if on_disk is None:
        on_disk = "the old" if disk.find(mark) is not None else "neither"
    scene.say(f"    bytes of page 0: in memory {in_memory}, on the disk {on_disk}")


def _judge(scene: Scene, stream: Stream) -> None:
    """Read what there is to read, until the device has completed and all is quiet."""
    monitor = Monitor(OBJECTIVES[scene.hazard])
    deadline = time.monotonic() + SETTLE
    rows = scene.rows

    def enough() -> bool:
        done = sum(row.kind is Event.UNPIN for row in rows) >= PAGES
        return done or time.monotonic() > deadline

    ours: set[int] = set()
    for batch in stream.until(enough):
        for row in batch:
            if row.ino is not None:
                ours.add(row.head_pfn)
            if row.head_pfn in ours:
                rows.append(row)
    scene.meta, scene.cost = stream.meta(), stream.cost()
    scene.violations = list(monitor.see(_renumbered(rows), scene.meta.stacks))
    scene.verdicts = monitor.verdicts(scene.meta)
    if not rows:
        raise FieldError("no event of the file was seen, so nothing can be said")


def _renumbered(rows: list[Row]) -> list[Row]:
    """Rows without those of other files' orphans, which a filter cannot know: numbered anew."""
    return [dataclasses.replace(row, seq=number) for number, row in enumerate(rows)]
