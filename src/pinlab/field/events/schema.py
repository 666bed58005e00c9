"""The table of events, "pinlab.events/1": one row per folio and event. Told in docs/events.md.

A recorded file is this table in Parquet. `kind` is a name of `objectives.events.Event`, so the
automata of `objectives` judge a file of the kernel, or of the lab, without knowing which it is.
A field is never removed nor changes its meaning within a version; fields may be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinlab.field.layout.page import PIN_BIAS
from pinlab.field.probes.record import NONE
from pinlab.names import printable
from pinlab.objectives.events import Event

VERSION = "pinlab.events/1"

MODEL: Final = "model"
"""`Row.src` of events that the lab made: they need no tracepoint and are as exact as it is."""

_NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("seq", pa.uint64(), nullable=False),
        pa.field("ts_ns", pa.uint64(), nullable=False),
        pa.field("cpu", pa.uint16(), nullable=False),
        pa.field("src", _NAME, nullable=False),
        pa.field("kernel", _NAME, nullable=False),
        pa.field("kind", _NAME, nullable=False),
        pa.field("pfn", pa.uint64(), nullable=False),
        pa.field("head_pfn", pa.uint64(), nullable=False),
        pa.field("order", pa.uint8(), nullable=False),
        pa.field("flags", pa.uint64(), nullable=False),
        pa.field("refcount", pa.int32(), nullable=False),
        pa.field("pincount", pa.int32()),
        pa.field("mapcount", pa.int32()),
        pa.field("mapping", pa.uint64(), nullable=False),
        pa.field("dev", pa.uint32()),
        pa.field("ino", pa.uint64()),
        pa.field("index", pa.uint64(), nullable=False),
        pa.field("has_private", pa.bool_(), nullable=False),
        pa.field("pid", pa.uint32(), nullable=False),
        pa.field("tid", pa.uint32(), nullable=False),
        pa.field("comm", _NAME, nullable=False),
        pa.field("op", _NAME),
        pa.field("io_id", pa.uint64()),
        pa.field("io_dev", pa.uint32()),
        pa.field("io_pinned", pa.bool_()),
        pa.field("stack_id", pa.uint32()),
        pa.field("ret", pa.int32()),
        pa.field("dropped_before", pa.uint32(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Row:
    """One event of one folio, and the folio as it was at that instant. Fields as in SCHEMA."""

    seq: int
    ts_ns: int
    cpu: int
    src: str
    """raw_tp: a tracepoint said so; fentry: a function; inferred: it follows; model: of the lab."""
    kernel: str
    kind: Event
    pfn: int
    """The page of the folio that the event is about; the folio begins at `head_pfn`."""
    head_pfn: int
    order: int
    flags: int
    refcount: int
    pincount: int | None
    """Pins, where the kernel counts them apart (large folios)."""
    mapcount: int | None
    mapping: int
    dev: int | None
    """The file system's device, as the kernel's dev_t (major << 20 | minor)."""
    ino: int | None
    index: int
    has_private: bool
    pid: int
    tid: int
    comm: str
    op: str | None
    """READ or WRITE, of the I/O that the event belongs to."""
    io_id: int | None
    """Which I/O: never the same for two of one recording."""
    io_dev: int | None
    """The device of the I/O, as `dev`."""
    io_pinned: bool | None
    """BIO_PAGE_PINNED: the I/O holds the pages by pins."""
    stack_id: int | None
    ret: int | None
    dropped_before: int
    """Events lost since the row before."""

    @property
    def pins(self) -> int:
        """Pins of the folio, as far as its counts tell."""
        return int(pins(self.refcount, NONE if self.pincount is None else self.pincount))

    def by_letters(self) -> Row:
        """The same with its names as they may be shown."""
        if self.comm.isprintable() and (self.op is None or self.op.isprintable()):
            return self
        return replace(self, comm=printable(self.comm), op=self.op and printable(self.op))


@dataclass(frozen=True, slots=True)
class Meta:
    """What a recording was made with; the metadata of its file."""

    kernel: str
    btf_sha256: str
    attached: tuple[str, ...]
    """Tracepoints, and functions, whose events are here."""
    failed: tuple[str, ...]
    """Those that could not be attached, each with why."""
    ring_bytes: int
    lost: int
    """Events lost in all, also after the last row."""
    flag_bits: Mapping[str, int]
    """What `flags` means: bits by name, as `dirty`, `writeback`."""
    stacks: tuple[tuple[str, ...], ...]
    """What `stack_id` means: the functions, innermost first."""
    began_ns: int
    ended_ns: int
    note: str = ""
    """A sentence of the recorder, as that a bound was reached or a filter set."""
    pinned_only: bool = False
    """Only events of folios that were pinned at that instant are here."""
    bios_pin: bool = True
    """Bios say whether they hold pins (BIO_PAGE_PINNED, Linux 6.5)."""
    rows: int | None = None
    """How many rows there are, so that a file whose end is missing is known."""

    def by_letters(self) -> Meta:
        """The same with all words as they may be shown: somebody else may have written them."""
        return replace(
            self,
            kernel=printable(self.kernel),
            attached=tuple(map(printable, self.attached)),
            failed=tuple(map(printable, self.failed)),
            flag_bits={printable(name): bit for name, bit in self.flag_bits.items()},
            stacks=tuple(tuple(map(printable, stack)) for stack in self.stacks),
            note=printable(self.note),
        )

    @property
    def writeback(self) -> int:
        """The mask of PG_writeback in `flags`."""
        return 1 << self.flag_bits["writeback"]


def pins(refcounts: npt.ArrayLike, pincounts: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Pins of folios by their counts; a pincount of NONE: there is none, the folio is small.

    Of a small folio they are what 1024 references each explain, so other references may add one.
    Above 0 is what folio_maybe_dma_pinned() asks, include/linux/mm.h. A reference count that has
    become negative is a large one.
    """
    exact = np.asarray(pincounts, np.int64)
    biased = (np.asarray(refcounts, np.int64) & 0xFFFFFFFF) // PIN_BIAS
    return np.where(exact == NONE, biased, exact)
