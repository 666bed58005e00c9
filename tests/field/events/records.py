"""Raw records as the tracepoints would write them, of a small imaginary kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pinlab.field.events.columns import Names
from pinlab.field.events.normalise import Normaliser
from pinlab.field.events.schema import Meta, Row
from pinlab.field.probes import record
from pinlab.field.probes.hooks import Hook

BITS = {"locked": 0, "writeback": 1, "uptodate": 3, "dirty": 4, "private": 14, "head": 6}
WRITEBACK, DIRTY, PRIVATE = (1 << BITS[name] for name in ("writeback", "dirty", "private"))
PINNED = 1027
MKWRITE, DEVICE, STRANGE = 0x100, 0x200, 0x300
SYMBOLS = {
    MKWRITE: "ext4_page_mkwrite",
    DEVICE: "folio_mark_dirty_lock",
    STRANGE: "nobody_knows_this",
}


@dataclass
class Kernel:
    """Makes records, in order."""

    records: list[dict[str, Any]] = field(default_factory=list)
    stacks: list[tuple[int, ...]] = field(default_factory=list)
    lost: int = 0
    functions: tuple[Hook, ...] = ()
    """Hooks that are functions and are watched."""

    def say(
        self,
        hook: Hook,
        *,
        pfn: int = 7,
        pages: int = 1,
        refcount: int = 3,
        flags: int = 0,
        io: int = 0,
        dev: int = 5,
        write: bool = False,
        pinned: bool = False,
        stack: tuple[int, ...] = (),
        mapping: int = 0xAA000,
        count: int = 0,
    ) -> None:
        if stack:
            self.stacks.append(stack)
        self.records.append(
            {
                "hook": hook,
                "ts_ns": 1000 * (len(self.records) + 1),
                "pid": 1,
                "tid": 1,
                "comm": b"dd",
                "lost": self.lost,
                "page": pfn,
                "head": pfn,
                "pages": pages,
                "flags": flags,
                "refcount": refcount,
                "pincount": record.NONE,
                "mapcount": 1,
                "mapping": mapping,
                "dev": 9,
                "ino": 42,
                "io": io,
                "write": write,
                "pinned": pinned,
                "io_dev": dev,
                "stack": len(self.stacks) - 1 if stack else record.NONE,
                "count": count,
            }
        )

    def read_queued(self, io: int = 0x10, pfn: int = 7, flags: int = 0) -> None:
        self.say(Hook.BIO_QUEUE, io=io, pinned=True, refcount=PINNED, pfn=pfn, flags=flags)

    def read_done(self, io: int = 0x10, pfn: int = 7, flags: int = 0) -> None:
        self.say(Hook.RQ_COMPLETE, io=io, pinned=True, refcount=PINNED, pfn=pfn, flags=flags)

    def write_queued(self, io: int = 0x20, pfn: int = 7, refcount: int = 3) -> None:
        self.say(Hook.BIO_QUEUE, io=io, write=True, flags=WRITEBACK, refcount=refcount, pfn=pfn)

    def write_done(self, io: int = 0x20, pfn: int = 7, refcount: int = 3) -> None:
        self.say(Hook.RQ_COMPLETE, io=io, write=True, flags=WRITEBACK, refcount=refcount, pfn=pfn)

    def dirtied(
        self,
        *stack: int,
        pfn: int = 7,
        refcount: int = 3,
        flags: int = DIRTY,
        mapping: int = 0xAA000,
    ) -> None:
        self.say(Hook.DIRTY, flags=flags, stack=stack, pfn=pfn, refcount=refcount, mapping=mapping)


def rows(kernel: Kernel) -> tuple[list[Row], Meta]:
    """The rows of the records, and the metadata of a recording of them."""
    normaliser = Normaliser(
        "6.18",
        BITS,
        addresses=kernel.stacks.__getitem__,
        functions=kernel.functions,
        names=Names(key=b"k"),
        symbol=SYMBOLS.__getitem__,
    )
    found = list(normaliser.batch(record.of(kernel.records)))
    return found, meta(lost=kernel.lost, stacks=tuple(normaliser.stacks))


def meta(lost: int = 0, stacks: tuple[tuple[str, ...], ...] = (), kernel: str = "6.18") -> Meta:
    return Meta(
        kernel=kernel,
        btf_sha256="0" * 64,
        attached=("block_bio_queue", "block_rq_complete", "writeback_dirty_folio"),
        failed=(),
        ring_bytes=1 << 20,
        lost=lost,
        flag_bits=BITS,
        stacks=stacks,
        began_ns=0,
        ended_ns=1,
    )


def o1() -> Kernel:
    """A device reads into a page, the page is written back meanwhile."""
    kernel = Kernel()
    kernel.dirtied(MKWRITE)
    kernel.read_queued()
    kernel.write_queued(refcount=PINNED)
    kernel.write_done(refcount=PINNED)
    kernel.read_done()
    return kernel


def o2() -> Kernel:
    """The same, and at the end the page is made dirty by whoever read."""
    kernel = o1()
    kernel.dirtied(DEVICE, refcount=PINNED)
    return kernel


def stripped(dirtier: int = DEVICE) -> Kernel:
    """A page is made dirty by a device after the file system dropped its buffers."""
    kernel = Kernel()
    kernel.dirtied(MKWRITE, flags=DIRTY | PRIVATE)
    kernel.read_queued(flags=PRIVATE)
    kernel.dirtied(dirtier, refcount=PINNED)
    return kernel


def grabbed(*, write: bool = False) -> Kernel:
    """Somebody whom no bio shows pins a page, and it is written back; functions are watched."""
    kernel = Kernel(functions=(Hook.GRAB, Hook.PUT, Hook.CLEAN))
    kernel.dirtied(MKWRITE)
    kernel.say(Hook.GRAB, refcount=PINNED, flags=DIRTY, write=write, count=1)
    kernel.say(Hook.CLEAN, refcount=PINNED)
    kernel.write_queued(refcount=PINNED)
    kernel.write_done(refcount=PINNED)
    kernel.say(Hook.PUT, refcount=PINNED, count=1)
    return kernel


def control() -> Kernel:
    """The device is done before the page is written back."""
    kernel = Kernel()
    kernel.dirtied(MKWRITE)
    kernel.read_queued()
    kernel.read_done()
    kernel.write_queued()
    kernel.write_done()
    return kernel
