"""A running kernel's rows in batches, with bounds, and what it costs to have them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from pinlab.field.events import schema
from pinlab.field.events.normalise import Names, Normaliser
from pinlab.field.events.program import Filter
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.source import RING_BYTES, Raw, Source
from pinlab.field.events.symbols import Symbols

PERIOD = 0.02
"""Seconds between two looks at the ring."""

BATCH = 1 << 12
ROW_BYTES = 256
"""Memory that one row takes as Arrow, rounded up."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching took of this process; what the kernel's side takes is measured apart."""

    records: int
    rows: int
    lost: int
    seconds: float
    busy: float
    """Seconds of it that were spent on records."""

    @property
    def microseconds(self) -> float:
        """Microseconds of our own for each record."""
        return 1e6 * self.busy / self.records if self.records else 0.0


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
            self._source.kernel, self.flag_bits, names=Names(raw), symbol=symbols.name
        )
        self._pid = pid
        self._touched: set[int] = set()
        self._began = time.monotonic_ns()
        self._busy = 0.0
        self._records = self._rows = 0

    @property
    def stacks(self) -> list[tuple[str, ...]]:
        """The stacks seen so far."""
        return self._normaliser.stacks

    @property
    def attached(self) -> tuple[str, ...]:
        """The tracepoints that are watched."""
        return tuple(self._source.attached)

    @property
    def writeback(self) -> int:
        """The flag that `Monitor` needs if only pinned folios are seen, else 0."""
        return 1 << self.flag_bits["writeback"] if self._only.pinned else 0

    def take(self) -> Iterator[list[Row]]:
        """What is there now, in batches."""
        while True:
            began = time.perf_counter()
            records = self._some()
            rows = list(self._normaliser.rows(self._of_pid(records)))
            self._records += len(records)
            self._rows += len(rows)
            self._busy += time.perf_counter() - began
            if rows:
                yield rows
            if len(records) < BATCH:
                return

    def _some(self) -> list[Raw]:
        found: list[Raw] = []
        for raw in self._source.read():
            found.append(raw)
            if len(found) == BATCH:
                break
        return found

    def _of_pid(self, records: Iterable[Raw]) -> Iterable[Raw]:
        """Only folios that a process has touched, from then on."""
        if self._pid is None:
            return records
        kept = []
        for raw in records:
            if raw.pid == self._pid:
                self._touched.add(raw.folio.head)
            if raw.folio.head in self._touched:
                kept.append(raw)
        return kept

    def until(self, enough: Callable[[], bool]) -> Iterator[list[Row]]:
        """Batches until it is enough, and then what is left; an empty batch now and then."""
        while not enough():
            for rows in self.take():
                yield rows
                if enough():
                    break
            yield []
            time.sleep(PERIOD)
        self._source.stop()
        yield from self.take()

    def stop(self) -> Iterator[list[Row]]:
        """Detach; what was left."""
        self._source.stop()
        yield from self.take()

    def cost(self) -> Cost:
        """What it took so far."""
        seconds = (time.monotonic_ns() - self._began) / 1e9
        return Cost(self._records, self._rows, self._source.lost, seconds, self._busy)

    def meta(self, note: str = "") -> Meta:
        """What the rows so far were made with."""
        source = self._source
        return Meta(
            kernel=source.kernel,
            btf_sha256=source.btf_sha256,
            attached=tuple(source.attached),
            failed=tuple(source.failed),
            ring_bytes=source.ring_bytes,
            lost=source.lost,
            flag_bits=self.flag_bits,
            stacks=tuple(self.stacks),
            began_ns=self._began,
            ended_ns=time.monotonic_ns(),
            note=note,
            pinned_only=self._only.pinned,
        )

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
    """Rows kept as columns, up to a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batches: list[Any] = []
        self.rows = 0

    @property
    def full(self) -> bool:
        """Whether the bound is reached."""
        return self.rows >= self._most

    def add(self, rows: list[Row]) -> None:
        """Keep rows; what goes beyond the bound is not kept."""
        rows = rows[: self._most - self.rows]
        if rows:
            self._batches.append(schema.to_batch(rows))
            self.rows += len(rows)

    def table(self, meta: Meta) -> pa.Table:
        """All of them."""
        return schema.with_meta(pa.Table.from_batches(self._batches, schema.SCHEMA), meta)
