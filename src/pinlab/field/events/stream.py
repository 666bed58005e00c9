"""A running kernel's rows in batches, with bounds, and what it costs to have them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from pinlab.field.events import names, recording, schema
from pinlab.field.events.batch import Batch
from pinlab.field.events.columns import Names
from pinlab.field.events.normalise import Normaliser
from pinlab.field.events.schema import Meta
from pinlab.field.memory.live import LiveReader
from pinlab.field.probes.folio import Filter
from pinlab.field.probes.record import Records
from pinlab.field.probes.source import RING_BYTES, Source
from pinlab.field.probes.symbols import Symbols

PERIOD = 0.05
"""Seconds between two looks at the ring."""

BATCH = 1 << 14
"""Records of a batch, at most."""

MANY = 1 << 10
"""Records of a batch from which on it tells how many we keep up with: less is mostly overhead."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching took, of this process and of the kernel."""

    records: int
    rows: int
    lost: int
    seconds: float
    busy: float
    """Seconds of it that this process spent on records: reading, judging, telling."""
    runs: int = 0
    """Times that a tracepoint was reached and our program ran."""
    kernel: float = 0.0
    """Seconds of it in those programs, where the kernel measures them; else 0."""
    sustained: float | None = None
    """Records a second that are kept up with; None if there never were enough at once to say."""

    @property
    def microseconds(self) -> float:
        """Microseconds of our own for each record."""
        return 1e6 * self.busy / self.records if self.records else 0.0

    @property
    def kernel_microseconds(self) -> float | None:
        """Microseconds of the kernel each time; None if nobody measured."""
        return 1e6 * self.kernel / self.runs if self.runs and self.kernel else None


class Stream:
    """Attached while it is open."""

    def __init__(
        self,
        *,
        only: Filter | None = None,
        pid: int | None = None,
        raw: bool = False,
        ring_bytes: int = RING_BYTES,
    ) -> None:
        """Attach. Raises FieldError."""
        self._only = only or Filter()
        self._source = Source(ring_bytes=ring_bytes, only=self._only)
        layout = self._source.layout.page
        self.flag_bits = dict(layout.flag_bits)
        symbols = Symbols()
        symbols.load()
        self._normaliser = Normaliser(
            self._source.kernel,
            self.flag_bits,
            addresses=self._source.stacks.addresses,
            functions=self._source.functions,
            names=Names(raw),
            symbol=symbols.name,
        )
        self._pid = pid
        self._touched: set[int] = set()
        self._began = time.monotonic_ns()
        self._busy = 0.0
        self._many_busy = 0.0
        self._records = self._rows = self._many = self._missed = 0

    @property
    def stacks(self) -> list[tuple[str, ...]]:
        """The stacks seen so far."""
        return self._normaliser.stacks

    @property
    def attached(self) -> tuple[str, ...]:
        """The tracepoints that are watched."""
        return tuple(self._source.attached)

    @property
    def reader(self) -> LiveReader:
        """A reader of the same kernel, open as long as this is."""
        return self._source.reader

    def take(self) -> Iterator[Batch]:
        """What is there now, in batches. What is done with one counts as its cost."""
        while True:
            began = time.perf_counter()
            records = self._source.take(BATCH)
            # Asked afterwards: what was missed may have been so between any of these, or of those
            # that are still in the ring.
            missed = self._source.ran.missed - self._missed
            if len(records):
                rows = self._normaliser.batch(self._of_pid(records), whole=not missed)
                self._rows += len(rows)
                if rows:
                    yield rows
                self._count(len(records), time.perf_counter() - began)
            if len(records) < BATCH:
                self._normaliser.gap(missed)
                self._missed += missed
                return

    def _count(self, records: int, seconds: float) -> None:
        self._records += records
        self._busy += seconds
        if records >= MANY:
            self._many += records
            self._many_busy += seconds

    def _of_pid(self, records: Records) -> Records:
        """Only folios that a process has touched, from then on."""
        if self._pid is None:
            return records
        kept = np.zeros(len(records), bool)
        for number, (pid, head) in enumerate(
            zip(records["pid"].tolist(), records["head"].tolist(), strict=True)
        ):
            if pid == self._pid:
                self._touched.add(head)
            kept[number] = head in self._touched
        return records[kept]

    def until(self, enough: Callable[[], bool]) -> Iterator[Batch]:
        """Batches until it is enough, and then what is left; an empty batch now and then."""
        while not enough():
            for rows in self.take():
                yield rows
                if enough():
                    break
            yield Batch.of(())
            time.sleep(PERIOD)
        yield from self.stop()

    def stop(self) -> Iterator[Batch]:
        """Detach; what was left."""
        self._source.stop()
        yield from self.take()

    @property
    def lost(self) -> int:
        """Events lost so far: the ring was full, or a program ran already on that CPU."""
        return self._source.full + self._source.ran.missed

    def cost(self) -> Cost:
        """What it took so far."""
        seconds = (time.monotonic_ns() - self._began) / 1e9
        ran = self._source.ran
        return Cost(
            self._records,
            self._rows,
            self.lost,
            seconds,
            self._busy,
            ran.times,
            ran.nanoseconds / 1e9,
            self._many / self._many_busy if self._many_busy else None,
        )

    def meta(self, note: str = "") -> Meta:
        """What the rows so far were made with."""
        source = self._source
        return Meta(
            kernel=source.kernel,
            btf_sha256=source.btf_sha256,
            attached=tuple(source.attached),
            failed=tuple(source.failed),
            ring_bytes=source.ring_bytes,
            lost=self.lost,
            flag_bits=self.flag_bits,
            stacks=tuple(self.stacks),
            began_ns=self._began,
            ended_ns=time.monotonic_ns(),
            note="; ".join(filter(None, (self._scope(), note))),
            pinned_only=self._only.pinned,
            bios_pin=source.layout.pinned_flag >= 0,
        )

    def _scope(self) -> str:
        """What a verdict on these rows does not speak beyond; empty: all files."""
        only = self._only
        named = {
            "the file system": None if only.dev is None else names.numbers(only.dev),
            "inode": only.ino,
            "pages touched by process": self._pid,
        }
        told = [f"{name} {value}" for name, value in named.items() if value is not None]
        return f"only {', '.join(told)}" if told else ""

    def close(self) -> None:
        """Detach, and give everything back."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Tape:
    """Rows kept as columns, up to a bound of rows and of bytes."""

    def __init__(self, rows: int | None, memory: int) -> None:
        """At most so many rows (None: any number) in about so many bytes."""
        self._most = rows
        self._memory = memory
        self._batches: list[Any] = []
        self.rows = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether a bound is reached."""
        return self.bytes >= self._memory or (self._most is not None and self.rows >= self._most)

    def add(self, rows: Batch) -> None:
        """Keep rows; what goes beyond a bound is not kept."""
        if self.full:
            return
        if self._most is not None:
            rows = rows[: self._most - self.rows]
        if rows:
            self._batches.append(rows.columns)
            self.rows += len(rows)
            self.bytes += rows.columns.nbytes

    def table(self, meta: Meta) -> pa.Table:
        """All of them."""
        table = pa.Table.from_batches(self._batches, schema.SCHEMA)
        return recording.with_meta(table, meta)
