"""From raw records to rows: what tracepoints say becomes events of the thread.

No tracepoint says "pin", "the device stores now" or "writeback of this page begins". What is
inferred, and from what (docs/events.md has the argument):

- a READ whose bio holds pins is in flight from its queueing to its completion, and the device may
  store at any moment of that time. It is PIN when it is queued, DEV_STORE and UNPIN when it
  completes, and DEV_STORE (inferred) as soon as a writeback of the same page is in flight too;
- a WRITE that does not hold pins, of a folio that bears PG_writeback, is that folio's writeback:
  CLEAN_FOR_IO (inferred) and WRITEBACK_START when the first is queued, WRITEBACK_END when the
  last has completed;
- a folio that is made dirty was clean before: if we believed otherwise, CLEAN_FOR_IO is inferred;
- FAULT_MKWRITE is inferred from the stack of the DIRTY, which the file system's own code is on;
- the file system's private data came, or went, when PG_private says other than it did.

Where functions may be watched (fentry) less is inferred: CLEAN_FOR_IO is told, and so are the pins
of all users of get_user_pages. A folio that one of them pinned to be written, and whose writeback
begins, is stored into from then on at any time: DEV_STORE (inferred).

The counts of each record correct what we believe: without PG_writeback no writeback is in flight,
without a pin no device holds the folio. A bio that has ended for one folio has ended. Of a frame
that bears another page by now nothing is believed, nor is anything after a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import starmap
from typing import Final, NamedTuple

from pinlab.field.events.batch import Batch
from pinlab.field.events.columns import FENTRY, INFERRED, RAW, Columns, Emitted, Names
from pinlab.field.events.schema import pins
from pinlab.field.probes.hooks import Hook
from pinlab.field.probes.record import NONE, Records
from pinlab.field.probes.symbols import Symbols, Told, told
from pinlab.objectives.events import Event

_File = tuple[int, int]
"""Which page of which file: the address of its mapping, and its index."""

_Io = tuple[int, int]
"""Which I/O: the address of its bvecs, and its device (a loop device passes bvecs on)."""

MANY: Final = 4
"""Rows of one call that takes or drops more pins: no automaton counts further."""

COMPLETIONS = (Hook.BIO_COMPLETE, Hook.RQ_COMPLETE)


class _Seen(NamedTuple):
    """What the rules ask of a record."""

    number: int
    """Which of its batch."""
    hook: int
    head: int
    page: int
    pages: int
    io: _Io
    write: bool
    pinned: bool
    """The I/O holds pins."""
    pins: int
    """Of the folio, by its counts."""
    file: _File
    cached: bool
    writeback: bool
    dirty: bool
    private: bool
    stack: int
    refs: int

    @property
    def op(self) -> str:
        return "WRITE" if self.write else "READ"


@dataclass(slots=True)
class _Bio:
    """One I/O, whatever folios it is over."""

    io_id: int
    ended: bool = False
    """bio_endio() was told. Device mapper tells it of a part only, if it passed on the bio in parts
    (bio_trim in drivers/md/dm.c), so that of other folios no end is told."""


@dataclass(slots=True)
class _InFlight:
    """One I/O over one folio."""

    bio: _Bio
    pages: set[int]

    @property
    def io_id(self) -> int:
        return self.bio.io_id


@dataclass(slots=True)
class _Believed:
    """What we believe of one folio."""

    file: _File
    reads: dict[_Io, _InFlight] = field(default_factory=dict)
    pinned_writes: dict[_Io, _InFlight] = field(default_factory=dict)
    writes: dict[_Io, _InFlight] = field(default_factory=dict)
    grabbed: int = 0
    """Pins for writing that GUP took, as far as functions are watched."""
    dirty: bool = False
    private: bool = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember."""
        flights = self.reads or self.writes or self.pinned_writes
        return not (flights or self.grabbed or self.dirty or self.private)


class Normaliser:
    """Turns raw records into rows, in their order."""

    def __init__(
        self,
        kernel: str,
        flag_bits: Mapping[str, int],
        *,
        addresses: Callable[[int], tuple[int, ...]],
        functions: Collection[Hook] = (),
        names: Names | None = None,
        symbol: Callable[[int], str] | None = None,
    ) -> None:
        """`addresses` gives the stack that has a number, `symbol` the function at an address.

        `functions` are the hooks that are functions and are watched.
        """
        self._clean_is_told = Hook.CLEAN in functions
        self.stacks: list[tuple[str, ...]] = []
        self._columns = Columns(kernel, flag_bits, names or Names())
        self._flags = [1 << flag_bits[name] for name in ("writeback", "dirty", "private")]
        self._addresses = addresses
        self._symbol = symbol or Symbols().name
        self._stack_ids: dict[int, int] = {}
        self._told: list[Told] = []
        self._folios: dict[int, _Believed] = {}
        self._bios: dict[_Io, _Bio] = {}
        self._next_io = 1
        self._lost = 0
        self._dropped = 0
        self._emitted: list[Emitted] = []

    def gap(self, lost: int) -> None:
        """So many events were lost here, besides those that the records count."""
        if lost:
            self._dropped += lost
            self._folios.clear()
            self._bios.clear()

    def batch(self, records: Records, *, whole: bool = True) -> Batch:
        """The rows of a batch of records; if it is not whole, events may be missing between any."""
        self._emitted = []
        lost = records["lost"].tolist()
        for seen in starmap(_Seen, self._seen(records)):
            if lost[seen.number] > self._lost:
                self.gap(lost[seen.number] - self._lost)
                self._lost = lost[seen.number]
            if not whole:
                self._folios.clear()
                self._bios.clear()
            self._step(seen)
        return self._columns.batch(records, self._emitted)

    def _seen(self, records: Records) -> zip[tuple[object, ...]]:
        """The fields of `_Seen`, record by record."""

        def of(name: str) -> list[object]:
            return list(records[name].tolist())

        return zip(
            range(len(records)),
            of("hook"),
            of("head"),
            of("page"),
            of("pages"),
            zip(of("io"), of("io_dev"), strict=True),
            of("write"),
            of("pinned"),
            pins(records["refcount"], records["pincount"]).tolist(),
            zip(of("mapping"), of("index"), strict=True),
            (records["mapping"] != 0).tolist(),
            *((records["flags"] & mask != 0).tolist() for mask in self._flags),
            of("stack"),
            of("count"),
            strict=True,
        )

    def _step(self, seen: _Seen) -> None:
        if seen.hook == Hook.CACHE_ADD:
            self._folios.pop(seen.head, None)
            self._emit(seen, Event.CACHE_ADD)
            return
        believed = self._folios.get(seen.head)
        # No hook tells of a page that moved to this frame, nor, where only pinned ones are
        # recorded, of one that came.
        if believed is None or (seen.cached and believed.file != seen.file):
            believed = self._folios[seen.head] = _Believed(seen.file)
        self._correct(seen, believed)
        match seen.hook:
            case Hook.BIO_QUEUE:
                self._queued(seen, believed)
            case Hook.BIO_COMPLETE | Hook.RQ_COMPLETE:
                self._completed(seen, believed)
            case Hook.DIRTY:
                self._dirtied(seen, believed)
            case Hook.CACHE_DEL:
                self._emit(seen, Event.CACHE_DEL)
                believed.dirty = believed.private = False
            case Hook.CLEAN:
                self._emit(seen, Event.CLEAN_FOR_IO, FENTRY)
                believed.dirty = False
            case Hook.GRAB:
                self._grabbed(seen, believed)
            case Hook.PUT:
                believed.grabbed = max(0, believed.grabbed - seen.refs)
                for _ in range(min(seen.refs, MANY)):
                    self._emit(seen, Event.UNPIN, FENTRY)
        if believed.idle:
            del self._folios[seen.head]

    def _correct(self, seen: _Seen, believed: _Believed) -> None:
        """Give up beliefs that the folio's own counts and flags contradict."""
        if believed.writes and not seen.writeback:
            believed.writes.clear()
            self._emit(seen, Event.WRITEBACK_END, INFERRED, "WRITE")
        if seen.cached and believed.private != seen.private:
            believed.private = seen.private
            kind = Event.ATTACH_BUFFERS if seen.private else Event.RELEASE_BUFFERS
            self._emit(seen, kind, INFERRED)
        believed.grabbed = min(believed.grabbed, seen.pins)
        if believed.reads or believed.pinned_writes:
            self._let_go(seen, believed)

    def _let_go(self, seen: _Seen, believed: _Believed) -> None:
        """Give up I/O whose pins have gone, or whose end was told of other folios than this one."""
        completes = seen.io if seen.hook in COMPLETIONS else None
        for op, flights in (("READ", believed.reads), ("WRITE", believed.pinned_writes)):
            for io, flight in list(flights.items()):
                if not seen.pins or (flight.bio.ended and io != completes):
                    del flights[io]
                    self._emit(seen, Event.UNPIN, INFERRED, op, flight.io_id, io[1])

    def _queued(self, seen: _Seen, believed: _Believed) -> None:
        pages = set(range(seen.page, seen.page + seen.pages))
        if seen.pinned:
            flights = believed.pinned_writes if seen.write else believed.reads
        elif seen.write and seen.writeback:
            flights = believed.writes
        else:
            return
        if seen.io in flights:
            flights[seen.io].pages |= pages
            return
        written = _pages(believed.writes)
        bio = self._bio(seen.io)
        number = bio.io_id
        flights[seen.io] = _InFlight(bio, pages)
        if seen.pinned:
            self._emit(seen, Event.PIN, RAW, seen.op, number)
            if not seen.write and pages & written:
                self._emit(seen, Event.DEV_STORE, INFERRED, seen.op, number)
        else:
            self._written_back(seen, believed, number, pages - written)

    def _written_back(self, seen: _Seen, believed: _Believed, number: int, pages: set[int]) -> None:
        """A write of a writeback of the folio is queued, over these pages that were not yet."""
        if len(believed.writes) == 1:
            self._begun(seen, believed, number)
        for (_, device), read in believed.reads.items():
            if read.pages & pages:
                self._emit(seen, Event.DEV_STORE, INFERRED, "READ", read.io_id, device)

    def _begun(self, seen: _Seen, believed: _Believed, number: int) -> None:
        """A writeback of the folio begins."""
        if not seen.dirty and not self._clean_is_told:
            believed.dirty = False
            self._emit(seen, Event.CLEAN_FOR_IO, INFERRED, "WRITE", number)
        self._emit(seen, Event.WRITEBACK_START, RAW, "WRITE", number)
        if believed.grabbed and not believed.reads:
            self._emit(seen, Event.DEV_STORE, INFERRED, "READ")

    def _grabbed(self, seen: _Seen, believed: _Believed) -> None:
        """GUP took pins; a READ, as bios call it, is one whose holder may write the memory."""
        if not seen.write:
            believed.grabbed += seen.refs
        stack = self._stack(seen.stack)
        for _ in range(min(seen.refs, MANY)):
            self._emit(seen, Event.PIN, FENTRY, seen.op, stack=stack)

    def _bio(self, io: _Io) -> _Bio:
        if io not in self._bios:
            self._bios[io] = _Bio(self._next_io)
            self._next_io += 1
        return self._bios[io]

    def _completed(self, seen: _Seen, believed: _Believed) -> None:
        if not seen.pinned:
            flights = believed.writes
        else:
            flights = believed.pinned_writes if seen.write else believed.reads
        # The next I/O with this array of bvecs is another one.
        self._bios.pop(seen.io, None)
        io = _told_of(seen.io, flights)
        flight = flights.get(io)
        if flight is not None and seen.hook == Hook.BIO_COMPLETE:
            flight.bio.ended = True
        if flight is None:
            if seen.write and seen.writeback and not seen.pinned and not believed.writes:
                # Its start was not seen: the folio was not pinned then.
                self._emit(seen, Event.WRITEBACK_END, RAW, "WRITE")
            return
        pages = set(range(seen.page, seen.page + seen.pages))
        flight.pages -= pages
        if flight.pages:
            return
        del flights[io]
        if seen.pinned:
            # Into pages of the folio that are not those being written it may store.
            if not seen.write and (not believed.writes or pages & _pages(believed.writes)):
                self._emit(seen, Event.DEV_STORE, RAW, seen.op, flight.io_id)
            self._emit(seen, Event.UNPIN, INFERRED, seen.op, flight.io_id)
        elif not believed.writes:
            self._emit(seen, Event.WRITEBACK_END, RAW, "WRITE", flight.io_id)

    def _dirtied(self, seen: _Seen, believed: _Believed) -> None:
        stack = self._stack(seen.stack)
        if believed.dirty:
            self._emit(seen, Event.CLEAN_FOR_IO, INFERRED)
        believed.dirty = True
        if stack != NONE and self._told[stack] is Told.yes:
            self._emit(seen, Event.FAULT_MKWRITE, INFERRED, stack=stack)
        self._emit(seen, Event.DIRTY, stack=stack)

    def _stack(self, number: int) -> int:
        """Which of `stacks`; NONE if the kernel had no room for it."""
        if number < 0:
            return NONE
        known = self._stack_ids.get(number)
        if known is None:
            known = self._stack_ids[number] = len(self.stacks)
            names = (self._symbol(address) for address in self._addresses(number))
            ours = ("bpf_prog_", "bpf_trace_run", "__traceiter_")
            self.stacks.append(tuple(name for name in names if not name.startswith(ours)))
            self._told.append(told(self.stacks[-1]))
        return known

    def _emit(
        self,
        seen: _Seen,
        kind: Event,
        src: str = RAW,
        op: str = "",
        io_id: int = NONE,
        io_dev: int | None = None,
        *,
        stack: int = NONE,
    ) -> None:
        """Add a row. An I/O is on the device of its record if no other is named."""
        device = seen.io[1] if io_dev is None and io_id != NONE else io_dev
        self._emitted.append(
            Emitted(
                record=seen.number,
                kind=kind,
                src=src,
                op=op,
                io_id=io_id,
                io_dev=NONE if device is None else device,
                io_pinned=op == "READ" or seen.pinned,
                completed=seen.hook in COMPLETIONS,
                stack=stack,
                dropped=self._dropped,
            )
        )
        self._dropped = 0


def _told_of(io: _Io, flights: dict[_Io, _InFlight]) -> _Io:
    """Which I/O a completion is of.

    A driver may pass a bio on to another device as it is (bio_set_dev, as multipath does): it is
    queued once, and completes on a device where it never was queued.
    """
    if io in flights:
        return io
    return next((each for each in reversed(flights) if each[0] == io[0]), io)


def _pages(flights: dict[_Io, _InFlight]) -> set[int]:
    """All pages that these are over, and have not completed."""
    return set().union(*(each.pages for each in flights.values()))
