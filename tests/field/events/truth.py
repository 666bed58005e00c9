"""A small kernel that knows what happened, and tells of it only what the hooks would tell.

Pages come and go, are pinned, read into, written back, made dirty and moved, in any order that
the real kernel allows. Much of that no hook sees: pages that move (migration), flags that change,
holders without a bio, writeback of a copy, completions after the last pin went (pinned only).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pinlab.field.probes.hooks import Hook
from tests.field.events.records import DEVICE, DIRTY, MKWRITE, PRIVATE, WRITEBACK, Kernel

WRITTEN: Final = -1


@dataclass
class Read:
    """A READ that pins: in flight, or done and about to let go."""

    io: int
    done: bool = False


@dataclass
class Frame:
    """A frame, and the folio in it."""

    pfn: int
    mapping: int = 0
    buffers: bool = False
    """The file system has buffers, and takes a page without them for a bug."""
    private: bool = False
    dirty: bool = False
    writeback: bool = False
    copied: bool = False
    """What is being written is a copy."""
    write: int = 0
    """The bio that writes it back; or WRITTEN."""
    reads: list[Read] = field(default_factory=list)
    early: int = 0
    """A pin whose bio is not queued yet: nobody sees it, and no device has the page."""
    sources: list[int] = field(default_factory=list)
    """Pins of devices that only read the page: O_DIRECT writes from a mapping."""
    unseen: int = 0
    """Holders without a bio who may write the page."""

    @property
    def pins(self) -> int:
        return len(self.reads) + self.early + len(self.sources) + self.unseen


@dataclass
class World:
    """Frames, the records of what was seen of them, and the truth."""

    pinned: bool
    """Only pinned folios are recorded."""
    kernel: Kernel = field(default_factory=Kernel)
    frames: list[Frame] = field(default_factory=lambda: [Frame(7), Frame(8)])
    losing: bool = False
    certain: set[str] = field(default_factory=set)
    """Objectives that were violated so that it cannot be missed: none of these may hold."""
    possible: set[str] = field(default_factory=set)
    """Objectives of which a violation may be claimed."""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def walk(self, dice: random.Random, steps: int, *, loss: float) -> None:
        """So many actions, of which two in three cannot be now; an event is lost by chance."""
        for _ in range(steps):
            self.losing |= dice.random() < loss
            dice.choice(ACTIONS)(self, dice.choice(self.frames))
            self._look()

    def _look(self) -> None:
        for each in self.frames:
            if not each.writeback or each.copied:
                continue
            reading = any(not read.done for read in each.reads)
            if reading or each.unseen:
                self.possible.add("O1")
            if reading and each.write > 0:
                self.certain.add("O1")

    def say(self, hook: Hook, frame: Frame, **more: object) -> None:
        """A hook is reached: recorded, filtered or lost."""
        if self.pinned and not frame.pins:
            return
        if self.losing:
            self.kernel.lost += 1
            self.losing = False
            return
        flags = DIRTY * frame.dirty | WRITEBACK * frame.writeback | PRIVATE * frame.private
        self.kernel.say(
            hook,
            pfn=frame.pfn,
            refcount=3 + 1024 * frame.pins,
            flags=flags,
            mapping=frame.mapping,
            **more,  # type: ignore[arg-type]
        )

    def add(self, frame: Frame) -> None:
        """A page comes to a file; of every second one the file system has buffers."""
        if frame.mapping or frame.pins:
            return
        number = next(self.numbers) % 5 + 1  # now and then one that was here before
        frame.mapping, frame.buffers = 0x1000 * number, number % 2 == 0
        self.say(Hook.CACHE_ADD, frame)

    def remove(self, frame: Frame) -> None:
        """Truncate and reclaim wait for writeback."""
        if not frame.mapping or frame.writeback:
            return
        frame.dirty = frame.private = False
        self.say(Hook.CACHE_DEL, frame)
        frame.mapping = 0

    def move(self, frame: Frame) -> None:
        """Migration: the page is in the other frame now, and no hook says so."""
        (other,) = (each for each in self.frames if each is not frame)
        if not frame.mapping or frame.pins or frame.writeback or other.mapping or other.pins:
            return
        for name in ("mapping", "buffers", "private", "dirty"):
            setattr(other, name, getattr(frame, name))
            setattr(frame, name, 0)

    def strip(self, frame: Frame) -> None:
        """The file system releases its buffers."""
        if not (frame.dirty or frame.writeback):
            frame.private = False

    def mkwrite(self, frame: Frame) -> None:
        """A process writes: the file system is told, and the page is dirty."""
        if not frame.mapping:
            return
        if frame.buffers:
            frame.private = True
        if not frame.dirty:
            frame.dirty = True
            self.say(Hook.DIRTY, frame, stack=(MKWRITE,))

    def redirty(self, frame: Frame) -> None:
        """A device is done, and whoever asked it marks the page."""
        if not frame.mapping or frame.dirty:
            return
        if not (frame.unseen or any(each.done for each in frame.reads)):
            return
        frame.dirty = True
        self.certain.add("O2")
        self.possible.add("O2")
        # The same page of a file may come back to its frame unseen, and have had buffers before.
        if frame.buffers and not frame.private:
            self.possible.add("I3")
        self.say(Hook.DIRTY, frame, stack=(DEVICE,))

    def clean(self, frame: Frame) -> None:
        """Writeback begins: the page is clean, and then bears PG_writeback."""
        if frame.mapping and frame.dirty and not frame.writeback:
            frame.dirty = False
            frame.writeback, frame.copied = True, False

    def clean_copy(self, frame: Frame) -> None:
        """The same, but what is written is a copy (compression, encryption)."""
        self.clean(frame)
        frame.copied = frame.writeback and not frame.write

    def write(self, frame: Frame) -> None:
        """The bio of a writeback is queued; its address may be one that was used before."""
        if frame.writeback and not frame.copied and not frame.write:
            frame.write = 0x20 + frame.pfn
            self._count(frame)
            self.say(Hook.BIO_QUEUE, frame, io=frame.write, write=True)

    def written(self, frame: Frame) -> None:
        """It completes, and then PG_writeback goes."""
        if frame.write > 0:
            self._count(frame)
            self.say(Hook.RQ_COMPLETE, frame, io=frame.write, write=True)
            frame.write = WRITTEN

    def _count(self, frame: Frame) -> None:
        """A holder without a bio is seen by the counts of the records of a writeback only."""
        if frame.unseen:
            self.certain.add("O1")

    def end(self, frame: Frame) -> None:
        if frame.writeback and (frame.copied or frame.write == WRITTEN):
            frame.writeback, frame.write = False, 0

    def read(self, frame: Frame) -> None:
        """A device is to read into the page."""
        if frame.mapping and len(frame.reads) < 2:
            taken = {each.io for each in frame.reads}
            io = min({0x10, 0x11} - taken) * 0x10 + frame.pfn
            frame.reads.append(Read(io))
            self.say(Hook.BIO_QUEUE, frame, io=io, pinned=True)

    def done(self, frame: Frame) -> None:
        for each in frame.reads:
            if not each.done:
                self.say(Hook.RQ_COMPLETE, frame, io=each.io, pinned=True)
                each.done = True
                return

    def let_go(self, frame: Frame) -> None:
        frame.reads = [each for each in frame.reads if not each.done]

    def pin(self, frame: Frame) -> None:
        """Somebody takes the pin for what is to be sent."""
        if frame.mapping and not frame.sources:
            frame.early = 1

    def send(self, frame: Frame) -> None:
        """A device is to write out of the page, by way of that pin."""
        if frame.early:
            frame.early = 0
            frame.sources.append(0x3000 + frame.pfn)
            self.say(Hook.BIO_QUEUE, frame, io=frame.sources[0], write=True, pinned=True)

    def sent(self, frame: Frame) -> None:
        for io in frame.sources:
            self.say(Hook.RQ_COMPLETE, frame, io=io, write=True, pinned=True)
        frame.sources = []

    def hold(self, frame: Frame) -> None:
        if frame.mapping:
            frame.unseen = 1

    def release(self, frame: Frame) -> None:
        frame.unseen = 0


ACTIONS: Final[tuple[Callable[[World, Frame], None], ...]] = (
    *(World.add, World.remove, World.move, World.strip, World.mkwrite, World.redirty),
    *(World.clean, World.clean_copy, World.write, World.written, World.end),
    *(World.read, World.done, World.let_go, World.pin, World.send, World.sent),
    *(World.hold, World.release),
)
