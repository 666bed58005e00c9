"""Raw records of the running kernel: attach to the tracepoints, read the ring.

The ring is shared memory, so a batch is read without a system call. Refused: waking up for each
record (it doubles the cost of one), perf buffers (one per CPU, so records come out of order).
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pinlab.field import bpf
from pinlab.field.errors import ReaderError
from pinlab.field.events import program
from pinlab.field.events.layout import TRACEPOINTS, EventLayout, Hook, event_layout, mismatch
from pinlab.field.layout.btf import VMLINUX
from pinlab.field.readers.live import LiveReader

RING_BYTES = 64 << 20
HEAD = struct.Struct("<QQ16sQQQQQQQQQQ")
_FILE = struct.Struct("<QQQ")
_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LENGTH = _DISCARDED - 1


@dataclass(frozen=True, slots=True)
class Folio:
    """A folio as it was when the record was made."""

    page: int
    """The frame of the page that the event is about, and `head` that of the folio."""
    head: int
    pages: int
    """Pages of the folio that the event covers."""
    order: int
    flags: int
    refcount: int
    pincount: int | None
    mapcount: int | None
    mapping: int
    index: int
    private: bool
    dev: int
    ino: int
    mode: int


@dataclass(frozen=True, slots=True)
class Raw:
    """One record."""

    hook: Hook
    ts_ns: int
    pid: int
    tid: int
    comm: str
    cpu: int
    lost: int
    """Records lost until then, in all."""
    folio: Folio
    io: int
    """Which bio: the address of its bvecs, the same in its clones. 0: none."""
    write: bool
    pinned: bool
    io_dev: int
    status: int
    stack: tuple[int, ...]


def decode(data: bytes, layout: EventLayout, vmemmap: int) -> Raw:
    """A record as the program wrote it."""
    ts, pid, comm, lost, cpu, hook, io, opf, status, dev, page, pages, head = HEAD.unpack_from(data)
    ino, mode, sb_dev = _FILE.unpack_from(data, 240)
    stack: tuple[int, ...] = ()
    if len(data) > program.STACK:
        frames = struct.unpack_from(f"<{program.FRAMES}Q", data, program.STACK)
        stack = tuple(frame for frame in frames if frame)
    flags = opf >> 8 * (layout.bio_flags - layout.bio_opf)
    size = layout.page.page_size
    folio = _folio(data[program.FOLIO : program.FOLIO + 2 * size], layout)
    return Raw(
        hook=Hook(hook),
        ts_ns=ts,
        pid=pid >> 32,
        tid=pid & 0xFFFFFFFF,
        comm=comm.split(b"\0", 1)[0].decode(errors="replace"),
        cpu=cpu,
        lost=lost,
        folio=Folio(
            (page - vmemmap) // size, (head - vmemmap) // size, pages, *folio, sb_dev, ino, mode
        ),
        io=io,
        write=opf & 0xFF == 1,
        pinned=layout.pinned_flag >= 0 and bool(flags >> layout.pinned_flag & 1),
        io_dev=dev & 0xFFFFFFFF,
        status=status & 0xFF,
        stack=stack,
    )


def _folio(
    data: bytes, layout: EventLayout
) -> tuple[int, int, int, int | None, int | None, int, int, bool]:
    page = layout.page
    size = page.page_size
    flags, mapping, index = (
        struct.unpack_from("<Q", data, field.offset)[0]
        for field in (page.flags, page.mapping, page.index)
    )
    refcount, mapcount = (
        struct.unpack_from("<i", data, field.offset)[0] for field in (page.refcount, page.mapcount)
    )
    pincount = None
    order = 0
    maps: int | None = None if mapcount < page.type_limit else mapcount + 1
    if flags >> page.flag_bits["head"] & 1:
        order = data[size * page.order.page + page.order.offset] & 31
        pincount = struct.unpack_from("<i", data, size * page.pincount.page + page.pincount.offset)[
            0
        ]
        large = page.large_mapcount
        maps = struct.unpack_from("<i", data, size * large.page + large.offset)[0] + 1
    private = bool(flags >> page.flag_bits["private"] & 1)
    return order, flags, refcount, pincount, maps, mapping, index, private


class Ring:
    """Our end of a BPF ring buffer (Documentation/bpf/ringbuf.rst)."""

    def __init__(self, size: int) -> None:
        """`size` bytes, a power of two. Raises OSError."""
        self.size = size
        self.fd = bpf.ring_map(size)
        try:
            self._consumer = mmap.mmap(self.fd, mmap.PAGESIZE)
            length = mmap.PAGESIZE + 2 * size
            self._data = mmap.mmap(self.fd, length, prot=mmap.PROT_READ, offset=mmap.PAGESIZE)
        except OSError:
            os.close(self.fd)
            raise

    def read(self) -> Iterator[bytes]:
        """The records that are there; each is given back to the kernel when it was yielded."""
        at = struct.unpack_from("<Q", self._consumer)[0]
        end = struct.unpack_from("<Q", self._data)[0]
        while at < end:
            place = mmap.PAGESIZE + (at & (self.size - 1))
            word = struct.unpack_from("<I", self._data, place)[0]
            if word & _BUSY:
                return
            length = word & _LENGTH
            data = None if word & _DISCARDED else self._data[place + 8 : place + 8 + length]
            at += (length + 8 + 7) // 8 * 8
            struct.pack_into("<Q", self._consumer, 0, at)
            if data is not None:
                yield data

    @property
    def waiting(self) -> int:
        """Bytes that were written and not read."""
        consumer = struct.unpack_from("<Q", self._consumer)[0]
        return int(struct.unpack_from("<Q", self._data)[0]) - int(consumer)

    def close(self) -> None:
        """Give it back."""
        self._consumer.close()
        self._data.close()
        os.close(self.fd)


class Source:
    """The events of the running kernel, from when it is made until `stop`."""

    def __init__(self, *, ring_bytes: int = RING_BYTES, only: program.Filter | None = None) -> None:
        """Attach. Raises FieldError if the kernel does not let us, or lacks what O1 needs."""
        self.ring_bytes = ring_bytes
        self.attached: list[str] = []
        self.failed: list[str] = []
        with ExitStack() as stack:
            reader = stack.enter_context(LiveReader())
            self.kernel = reader.release
            self._vmemmap = reader.vmemmap
            self.layout = event_layout(reader.btf)
            self.btf_sha256 = hashlib.sha256(VMLINUX.read_bytes()).hexdigest()
            try:
                self._ring = Ring(ring_bytes)
                stack.callback(self._ring.close)
                self._lost = bpf.ArrayMap(8)
                stack.callback(self._lost.close)
            except OSError as error:
                raise ReaderError(f"no ring buffer for events: {error.strerror}") from None
            self._links: list[int] = []
            stack.callback(self.stop)
            self._attach(reader, only or program.Filter())
            self._stack = stack.pop_all()

    def _attach(self, reader: LiveReader, only: program.Filter) -> None:
        maps = program.Maps(self._ring.fd, self._lost.fd)
        # What ends an interval comes before what begins it.
        for hook in sorted(Hook, key=lambda each: -each):
            name, _ = TRACEPOINTS[hook]
            if why := mismatch(reader.btf, hook):
                self.failed.append(why)
                continue
            folio = hook in (Hook.DIRTY, Hook.CACHE_ADD, Hook.CACHE_DEL)
            build = program.of_folio if folio else program.of_bio
            try:
                try:
                    loaded = bpf.Program(build(hook, self.layout, maps, only))
                except OSError:
                    if folio:
                        raise
                    bounded = program.of_bio(hook, self.layout, maps, only, may_goto=False)
                    loaded = bpf.Program(bounded)
            except OSError as error:
                self.failed.append(f"{name}: {error.strerror}")
                continue
            try:
                self._links.append(bpf.attach(loaded, name))
                self.attached.append(name)
            except OSError as error:
                self.failed.append(f"{name}: {error.strerror}")
            finally:
                loaded.close()  # the link holds it
        if not self.attached:
            raise ReaderError(f"no tracepoint could be attached: {'; '.join(self.failed)}")

    def read(self) -> Iterator[Raw]:
        """The records that are there now."""
        for data in self._ring.read():
            yield decode(data, self.layout, self._vmemmap)

    @property
    def lost(self) -> int:
        """Records lost so far."""
        return int(struct.unpack_from("<Q", self._lost.memory)[0])

    def stop(self) -> None:
        """Detach; what is in the ring can still be read."""
        while self._links:
            with suppress(OSError):
                os.close(self._links.pop())

    def close(self) -> None:
        """Detach, and give the ring back."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
