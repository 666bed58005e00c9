"""Raw records as the tracepoints would write them, of a small imaginary kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pinlab.field.events.layout import Hook
from pinlab.field.events.normalise import Names, Normaliser
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.source import Folio, Raw

BITS = {"locked": 0, "writeback": 1, "uptodate": 3, "dirty": 4, "private": 14, "head": 6}
WRITEBACK, DIRTY = 1 << BITS["writeback"], 1 << BITS["dirty"]
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

    records: list[Raw] = field(default_factory=list)
    lost: int = 0

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
    ) -> None:
        folio = Folio(
            pfn, pfn, pages, 0, flags, refcount, None, 1, mapping, 0, True, 9, 42, 0o100644
        )
        ts = 1000 * (len(self.records) + 1)
        self.records.append(
            Raw(hook, ts, 1, 1, "dd", 0, self.lost, folio, io, write, pinned, dev, 0, stack)
        )

    def read_queued(self, io: int = 0x10, pfn: int = 7, flags: int = 0) -> None:
        self.say(Hook.BIO_QUEUE, io=io, pinned=True, refcount=PINNED, pfn=pfn, flags=flags)

    def read_done(self, io: int = 0x10, pfn: int = 7, flags: int = 0) -> None:
        self.say(Hook.RQ_COMPLETE, io=io, pinned=True, refcount=PINNED, pfn=pfn, flags=flags)

    def write_queued(self, io: int = 0x20, pfn: int = 7, refcount: int = 3) -> None:
        self.say(Hook.BIO_QUEUE, io=io, write=True, flags=WRITEBACK, refcount=refcount, pfn=pfn)

    def write_done(self, io: int = 0x20, pfn: int = 7, refcount: int = 3) -> None:
        self.say(Hook.RQ_COMPLETE, io=io, write=True, flags=WRITEBACK, refcount=refcount, pfn=pfn)

    def dirtied(self, *stack: int, pfn: int = 7, refcount: int = 3) -> None:
        self.say(Hook.DIRTY, flags=DIRTY, stack=stack, pfn=pfn, refcount=refcount)


def rows(kernel: Kernel) -> tuple[list[Row], Meta]:
    """The rows of the records, and the metadata of a recording of them."""
    return normalised(kernel.records, kernel.lost)


def normalised(records: Iterable[Raw], lost: int = 0) -> tuple[list[Row], Meta]:
    normaliser = Normaliser("6.18", BITS, names=Names(key=b"k"), symbol=SYMBOLS.__getitem__)
    found = list(normaliser.rows(records))
    return found, meta(lost=lost, stacks=tuple(normaliser.stacks))


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


def control() -> Kernel:
    """The device is done before the page is written back."""
    kernel = Kernel()
    kernel.dirtied(MKWRITE)
    kernel.read_queued()
    kernel.read_done()
    kernel.write_queued()
    kernel.write_done()
    return kernel
