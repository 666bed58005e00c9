"""From raw records to rows: what tracepoints say becomes events of the thread.

No tracepoint says "pin", "the device stores now" or "writeback of this page begins". What is
inferred, and from what (docs/events.md has the argument):

- a READ whose bio holds pins is in flight from its queueing to its completion, and the device may
  store at any moment of that time. It is PIN when it is queued, DEV_STORE and UNPIN when it
  completes, and DEV_STORE (inferred) as soon as a writeback of the same folio is in flight too;
- a WRITE that does not hold pins, of a folio that bears PG_writeback, is that folio's writeback:
  CLEAN_FOR_IO (inferred) and WRITEBACK_START when the first is queued, WRITEBACK_END when the
  last has completed;
- a folio that is made dirty was clean before: if we believed otherwise, CLEAN_FOR_IO is inferred;
- FAULT_MKWRITE is inferred from the stack of the DIRTY, which the file system's own code is on.

The counts of each record correct what we believe: without PG_writeback no writeback is in flight,
without a pin no device holds the folio. After a gap nothing is believed any more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pinlab.field.events.layout import Hook
from pinlab.field.events.schema import Row
from pinlab.field.events.source import Folio, Raw
from pinlab.field.events.symbols import Symbols, Told, told
from pinlab.field.layout.page import PIN_BIAS
from pinlab.objectives.events import Event

RAW, INFERRED = "raw_tp", "inferred"

_Io = tuple[int, int]
"""Which I/O: the address of its bvecs, and its device (a loop device passes bvecs on)."""


@dataclass(slots=True)
class _InFlight:
    """One I/O over one folio."""

    io_id: int
    pages: set[int]


@dataclass(slots=True)
class _Believed:
    """What we believe of one folio."""

    reads: dict[_Io, _InFlight] = field(default_factory=dict)
    pinned_writes: dict[_Io, _InFlight] = field(default_factory=dict)
    writes: dict[_Io, _InFlight] = field(default_factory=dict)
    dirty: bool = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.reads or self.writes or self.pinned_writes or self.dirty)


@dataclass(frozen=True, slots=True)
class Names:
    """How kernel addresses become what a file may hold: by number or hash, or as they are."""

    raw: bool = False
    key: bytes = field(default_factory=lambda: os.urandom(16))

    def mapping(self, address: int) -> int:
        """A name for an address_space: the same for the same one, within one recording."""
        if self.raw or not address:
            return address
        word = address.to_bytes(8, "little")
        return int.from_bytes(hashlib.blake2b(word, digest_size=8, key=self.key).digest(), "little")


class Normaliser:
    """Turns raw records into rows, in their order."""

    def __init__(
        self,
        kernel: str,
        flag_bits: Mapping[str, int],
        *,
        names: Names | None = None,
        symbol: Callable[[int], str] | None = None,
    ) -> None:
        self.stacks: list[tuple[str, ...]] = []
        self._kernel = kernel
        self._writeback = 1 << flag_bits["writeback"]
        self._dirty = 1 << flag_bits["dirty"]
        self._names = names or Names()
        self._symbol = symbol or Symbols().name
        self._stack_ids: dict[tuple[int, ...], int] = {}
        self._mappings: dict[int, int] = {}
        self._folios: dict[int, _Believed] = {}
        self._seq = 0
        self._io_ids: dict[_Io, int] = {}
        self._next_io = 1
        self._lost = 0
        self._dropped = 0

    def rows(self, records: Iterable[Raw]) -> Iterator[Row]:
        """The rows of a batch."""
        for raw in records:
            if raw.lost > self._lost:
                self._dropped += raw.lost - self._lost
                self._lost = raw.lost
                self._folios.clear()
                self._io_ids.clear()
            yield from self._correct(raw)
            match raw.hook:
                case Hook.BIO_QUEUE:
                    yield from self._queued(raw)
                case Hook.BIO_COMPLETE | Hook.RQ_COMPLETE:
                    yield from self._completed(raw)
                case Hook.DIRTY:
                    yield from self._dirtied(raw)
                case Hook.CACHE_ADD:
                    self._folios.pop(raw.folio.head, None)
                    yield self._row(raw, Event.CACHE_ADD)
                case Hook.CACHE_DEL:
                    yield self._row(raw, Event.CACHE_DEL)
                    self._believed(raw).dirty = False
            self._forget(raw.folio.head)

    def _believed(self, raw: Raw) -> _Believed:
        return self._folios.setdefault(raw.folio.head, _Believed())

    def _forget(self, head: int) -> None:
        believed = self._folios.get(head)
        if believed is not None and believed.idle:
            del self._folios[head]

    def _correct(self, raw: Raw) -> Iterator[Row]:
        """Give up beliefs that the folio's own counts contradict."""
        believed = self._folios.get(raw.folio.head)
        if believed is None:
            return
        if believed.writes and not raw.folio.flags & self._writeback and raw.hook != Hook.CACHE_ADD:
            believed.writes.clear()
            yield self._row(raw, Event.WRITEBACK_END, src=INFERRED, op="WRITE")
        held = believed.reads or believed.pinned_writes
        if held and not maybe_pinned(raw.folio):
            for each in (believed.reads, believed.pinned_writes):
                for io, flight in each.items():
                    op = "READ" if each is believed.reads else "WRITE"
                    yield self._row(
                        raw, Event.UNPIN, src=INFERRED, op=op, io_id=flight.io_id, dev=io[1]
                    )
                each.clear()

    def _queued(self, raw: Raw) -> Iterator[Row]:
        believed = self._believed(raw)
        io = raw.io, raw.io_dev
        pages = set(range(raw.folio.page, raw.folio.page + raw.folio.pages))
        op = "WRITE" if raw.write else "READ"
        if raw.pinned:
            held = believed.pinned_writes if raw.write else believed.reads
            if io in held:
                held[io].pages |= pages
                return
            number = self._number(io)
            held[io] = _InFlight(number, pages)
            yield self._row(raw, Event.PIN, op=op, io_id=number)
            if not raw.write and believed.writes:
                yield self._row(raw, Event.DEV_STORE, src=INFERRED, op=op, io_id=number)
            return
        if not raw.write or not raw.folio.flags & self._writeback:
            return
        if io in believed.writes:
            believed.writes[io].pages |= pages
            return
        first = not believed.writes
        number = self._number(io)
        believed.writes[io] = _InFlight(number, pages)
        if not first:
            return
        if not raw.folio.flags & self._dirty:
            believed.dirty = False
            yield self._row(raw, Event.CLEAN_FOR_IO, src=INFERRED, op=op, io_id=number)
        yield self._row(raw, Event.WRITEBACK_START, op=op, io_id=number)
        for (_, device), read in believed.reads.items():
            yield self._row(
                raw, Event.DEV_STORE, src=INFERRED, op="READ", io_id=read.io_id, dev=device
            )

    def _number(self, io: _Io) -> int:
        if io not in self._io_ids:
            self._io_ids[io] = self._next_io
            self._next_io += 1
        return self._io_ids[io]

    def _completed(self, raw: Raw) -> Iterator[Row]:
        believed = self._believed(raw)
        io = raw.io, raw.io_dev
        pages = range(raw.folio.page, raw.folio.page + raw.folio.pages)
        held = believed.writes
        if raw.pinned:
            held = believed.pinned_writes if raw.write else believed.reads
        flight = held.get(io)
        # The next I/O with this array of bvecs is another one.
        self._io_ids.pop(io, None)
        if flight is None:
            return
        flight.pages.difference_update(pages)
        if flight.pages:
            return
        del held[io]
        number = flight.io_id
        if not raw.pinned:
            if not believed.writes:
                yield self._row(raw, Event.WRITEBACK_END, op="WRITE", io_id=number)
            return
        op = "WRITE" if raw.write else "READ"
        if not raw.write:
            yield self._row(raw, Event.DEV_STORE, op=op, io_id=number)
        yield self._row(raw, Event.UNPIN, src=INFERRED, op=op, io_id=number)

    def _dirtied(self, raw: Raw) -> Iterator[Row]:
        believed = self._believed(raw)
        stack = self._stack(raw.stack)
        if believed.dirty:
            yield self._row(raw, Event.CLEAN_FOR_IO, src=INFERRED)
        believed.dirty = True
        if told(self.stacks[stack]) is Told.yes:
            yield self._row(raw, Event.FAULT_MKWRITE, src=INFERRED, stack=stack)
        yield self._row(raw, Event.DIRTY, stack=stack)

    def _stack(self, addresses: tuple[int, ...]) -> int:
        known = self._stack_ids.get(addresses)
        if known is None:
            known = self._stack_ids[addresses] = len(self.stacks)
            names = tuple(self._symbol(address) for address in addresses)
            ours = ("bpf_prog_", "bpf_trace_run", "__traceiter_")
            self.stacks.append(tuple(name for name in names if not name.startswith(ours)))
        return known

    def _row(
        self,
        raw: Raw,
        kind: Event,
        *,
        src: str = RAW,
        op: str | None = None,
        io_id: int | None = None,
        dev: int | None = None,
        stack: int | None = None,
    ) -> Row:
        folio = raw.folio
        mapping = self._mappings.get(folio.mapping)
        if mapping is None:
            mapping = self._mappings[folio.mapping] = self._names.mapping(folio.mapping)
        row = Row(
            seq=self._seq,
            ts_ns=raw.ts_ns,
            cpu=raw.cpu,
            src=src,
            kernel=self._kernel,
            kind=kind,
            pfn=folio.page,
            head_pfn=folio.head,
            order=folio.order,
            flags=folio.flags,
            refcount=folio.refcount,
            pincount=folio.pincount,
            mapcount=folio.mapcount,
            mapping=mapping,
            dev=folio.dev if folio.mapping else None,
            ino=folio.ino if folio.mapping else None,
            index=folio.index,
            has_private=folio.private,
            pid=raw.pid,
            tid=raw.tid,
            comm=raw.comm,
            op=op,
            io_id=io_id,
            io_dev=dev if dev is not None else (raw.io_dev if io_id is not None else None),
            io_pinned=None if io_id is None else op == "READ" or raw.pinned,
            stack_id=stack,
            ret=-raw.status if raw.hook in (Hook.BIO_COMPLETE, Hook.RQ_COMPLETE) else None,
            dropped_before=min(self._dropped, 0xFFFFFFFF),
        )
        self._dropped = 0
        self._seq += 1
        return row


def maybe_pinned(folio: Folio | Row) -> bool:
    """folio_maybe_dma_pinned(), include/linux/mm.h, of the counts that a record bears."""
    if folio.pincount is not None:
        return folio.pincount > 0
    return folio.refcount & 0xFFFFFFFF >= PIN_BIAS
