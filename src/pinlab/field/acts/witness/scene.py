"""One hazard, from a clean file to what the monitor says of it.

All begin alike: a file of four pages on a file system of our own, mapped shared, written and
synced; then a direct read from a device that withholds its answer, into that mapping. So the
pages are pinned, the device may store into them at any time, and the file system does not know.

- o1: fsync now. The pages are written back while the device owns them.
- o2: the same, then the device answers: clean pages become dirty and nobody asked the file system.
- truncate: the file is cut to nothing while the device owns its pages, and the answer goes to
  pages that no file has.

The control run is the same with the pin released first, and must hold.

After each step the bytes are looked at (`evidence`). Scene o2 goes on where the objective ends:
what a second fsync that returned 0 has brought to the disk, and 0.3 s, a third fsync and a syncfs
later.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pinning.kinds import bio
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.acts.witness.evidence import PAGE, PROMISES, SENT, Look, Moment, Subject
from pinlab.field.acts.witness.scratch import Scratch
from pinlab.field.errors import FieldError
from pinlab.field.events import names
from pinlab.field.events.monitor import Monitor, Violation
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.stream import Cost, Stream
from pinlab.field.machine import syscalls
from pinlab.field.probes.folio import Filter
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict

PAGES: Final = 4
MARK: Final = 16
"""Random bytes at the begin of each page, which no earlier file had."""

SETTLE = 2.0
"""Seconds to wait for the events of what was done."""
LATER = 0.3
"""Seconds after the second fsync."""


class Hazard(StrEnum):
    """What is made to happen."""

    o1 = "o1"
    o2 = "o2"
    truncate = "truncate"


OBJECTIVES = {Hazard.o1: ("O1",), Hazard.o2: ("O2",), Hazard.truncate: ("O1", "O2")}


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, when it was over, and what was there then."""

    ts_ns: int
    text: str
    look: Look | None = None


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

    def say(self, text: str, look: Look | None = None) -> None:
        """Add a step."""
        self.steps.append(Step(look.ts_ns if look else time.monotonic_ns(), text, look))

    @property
    def looks(self) -> dict[Moment, Look]:
        """What was there at each moment that was looked at."""
        return {step.look.moment: step.look for step in self.steps if step.look is not None}

    @property
    def broken(self) -> list[Look]:
        """Looks right after an fsync that returned 0 and did not do what it is for."""
        return [look for moment, look in self.looks.items() if moment in PROMISES and not look.kept]

    def during(self, moment: Moment) -> list[Row]:
        """The events between the look before and that at `moment`."""
        times = [look.ts_ns for look in self.looks.values()]
        end = self.looks[moment].ts_ns
        begin = max((ts_ns for ts_ns in times if ts_ns < end), default=0)
        return [row for row in self.rows if begin < row.ts_ns <= end]

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


def covers(row: Row, pfn: int) -> bool:
    """Whether an event is of the folio that a page belongs to."""
    return row.head_pfn <= pfn < row.head_pfn + (1 << row.order)


def play(hazard: Hazard, disk: Scratch, *, control: bool = False) -> Scene:
    """Make the hazard happen to a new file. Raises FieldError, OSError."""
    scene = Scene(hazard, disk.kind, control)
    with _file(disk) as subject:
        os.fsync(subject.fd)
        look = subject.look(Moment.SYNCED)
        if look.differing:
            raise FieldError(f"the bytes of a clean file are not where {disk.kind} says they are")
        scene.say(f"a file of {PAGES} pages on {disk.kind}, mapped shared, written, synced", look)
        found = os.fstat(subject.fd)
        only = Filter(_filesystem_device(disk.kind, found), found.st_ino)
        with Stream(only=only) as stream:
            _act(scene, subject)
            _judge(scene, stream)
    return scene


@contextmanager
def _file(disk: Scratch) -> Iterator[Subject]:
    """A new file, mapped shared and written; it is gone afterwards."""
    with ExitStack() as stack:
        fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=disk.mount)
        stack.callback(os.unlink, "file", dir_fd=disk.mount)
        stack.callback(os.close, fd)
        os.ftruncate(fd, PAGES * PAGE)
        memory = stack.enter_context(mmap.mmap(fd, PAGES * PAGE, flags=mmap.MAP_SHARED))
        mark = os.urandom(MARK)
        for page in range(PAGES):
            memory[page * PAGE : page * PAGE + MARK] = mark
        yield Subject(disk, fd, memory, mark)


def _filesystem_device(kind: FileSystem, found: os.stat_result) -> int | None:
    """The device of the super block; btrfs tells user space another, one for each subvolume."""
    return None if kind is FileSystem.btrfs else names.dev_t(found.st_dev)


def _act(scene: Scene, subject: Subject) -> None:
    with ExitStack() as hold:
        held = hold.enter_context(bio.make(Buffer(Memory.file, subject.address, PAGES * PAGE)))
        scene.say(f"a direct read into the mapping is in flight, held by fd {held.fd}: pinned")
        if scene.control:
            _release(scene, subject, hold)
        if scene.hazard is Hazard.truncate:
            _truncate(scene, subject, hold)
        else:
            when = "" if scene.control else " while the device may store"
            _fsync(scene, subject, Moment.FSYNC, "fsync", when)
            if not scene.control:
                _release(scene, subject, hold)
    if scene.hazard is Hazard.o2:
        _go_on(scene, subject)


def _release(scene: Scene, subject: Subject, hold: ExitStack) -> None:
    hold.close()
    scene.say(_answered(scene), subject.look(Moment.ANSWERED))


def _answered(scene: Scene) -> str:
    word = "control: " if scene.control else ""
    return f"{word}the device has answered, {SENT.hex()} and so on, and the pins are gone"


def _truncate(scene: Scene, subject: Subject, hold: ExitStack) -> None:
    """Cut the file; the mapping has no pages any more, so it must not be looked at."""
    places = [page.at for page in scene.looks[Moment.SYNCED].pages if page.at is not None]
    os.ftruncate(subject.fd, 0)
    scene.say("ftruncate(0) returned" + ("" if scene.control else " while pinned"))
    if not scene.control:
        hold.close()
        scene.say(_answered(scene))
    left = sorted({subject.tell(subject.disk.read(at, PAGE)).whose for at in places})
    scene.say(f"the file is empty; where it was on the disk are {' and '.join(left)} bytes")


def _fsync(scene: Scene, subject: Subject, moment: Moment, name: str, when: str = "") -> bool:
    """Whether it returned 0. One that fails promises nothing, so there is nothing to look at.

    btrfs of Linux 6.12 fails so (EUCLEAN) when it finds by itself that a page was made dirty
    without its knowledge.
    """
    began = time.perf_counter()
    try:
        os.fsync(subject.fd)
    except OSError as error:
        scene.say(f"{name} failed: {error.strerror}{when}")
        return False
    took = (time.perf_counter() - began) * 1e3
    scene.say(f"{name} returned 0 after {took:.1f} ms{when}", subject.look(moment))
    return True


def _go_on(scene: Scene, subject: Subject) -> None:
    """What becomes of what the device stored, as far as user space asks for it."""
    if not _fsync(scene, subject, Moment.SECOND_FSYNC, "a second fsync"):
        return
    time.sleep(LATER)
    scene.say(f"{LATER:g} s later", subject.look(Moment.LATER))
    _fsync(scene, subject, Moment.THIRD_FSYNC, "a third fsync")
    syscalls.syncfs(subject.fd)
    scene.say("syncfs returned 0", subject.look(Moment.SYNCFS))


def _judge(scene: Scene, stream: Stream) -> None:
    """Read what there is to read, until the device has completed and all is quiet."""
    monitor = Monitor(OBJECTIVES[scene.hazard], writeback=stream.meta().writeback)
    deadline = time.monotonic() + SETTLE
    rows = scene.rows

    def enough() -> bool:
        done = sum(row.kind is Event.UNPIN for row in rows) >= PAGES
        return done or time.monotonic() > deadline

    ours = {page.pfn for look in scene.looks.values() for page in look.pages}
    for batch in stream.until(enough):
        rows += [row for row in batch if any(covers(row, pfn) for pfn in ours)]
    scene.meta, scene.cost = stream.meta(), stream.cost()
    scene.violations = list(monitor.see(_renumbered(rows), scene.meta.stacks))
    scene.verdicts = monitor.verdicts(scene.meta)
    if not rows:
        raise FieldError("no event of the file was seen, so nothing can be said")


def _renumbered(rows: list[Row]) -> list[Row]:
    """Rows without those of other files, which a filter cannot tell from ours: numbered anew.

    An orphan has no file, and of btrfs only the inode is known.
    """
    return [dataclasses.replace(row, seq=number) for number, row in enumerate(rows)]
