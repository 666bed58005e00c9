"""The table of events, "pinlab.events/1": one row per folio and event. Told in docs/events.md.

A recorded file is this table in Parquet. `kind` is a name of `objectives.events.Event`, so the
automata of `objectives` judge a file of the kernel, or of the lab, without knowing which it is.
A field is never removed nor changes its meaning within a version; fields may be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pinlab.errors import UsageError
from pinlab.objectives.events import Event

VERSION = "pinlab.events/1"

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
    """raw_tp: a tracepoint said so; inferred: it follows from one; model: the lab said so."""
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
    """Events lost since the row before, by a full ring."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a recording was made with; the metadata of its file."""

    kernel: str
    btf_sha256: str
    attached: tuple[str, ...]
    """Tracepoints whose events are here."""
    failed: tuple[str, ...]
    """Tracepoints that could not be attached, each with why."""
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
    rows: int | None = None
    """How many rows there are, so that a file whose end is missing is known."""


def write(path: Path, table: pa.Table) -> None:
    """Write a recording as Parquet; an earlier file is replaced when the new one is whole."""
    new = path.with_name(path.name + ".new")
    try:
        pq.write_table(table, new, compression="zstd")
        new.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        new.unlink(missing_ok=True)


def to_table(rows: Iterable[Row], meta: Meta) -> pa.Table:
    """The rows and what they were made with as one Arrow table."""
    return with_meta(pa.Table.from_batches([to_batch(list(rows))]), meta)


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """The rows as columns."""
    columns = [pa.array([getattr(row, f.name) for row in rows], type=f.type) for f in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def with_meta(table: pa.Table, meta: Meta) -> pa.Table:
    """The table, saying what it was made with, and how long it is."""
    meta = replace(meta, rows=table.num_rows)
    body = {field.name: getattr(meta, field.name) for field in fields(Meta)}
    return table.replace_schema_metadata({"schema": VERSION, "pinlab": json.dumps(body)})


def read(path: Path) -> tuple[list[Row], Meta]:
    """Read a recording. Raises UsageError if it is none, or of another version."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"{path} is no recording, or is cut short: {reason}") from None
    return list(from_table(table, str(path))), meta_of(table, str(path))


def meta_of(table: pa.Table, name: str = "this table") -> Meta:
    """What a table was made with. Raises UsageError."""
    metadata = table.schema.metadata or {}
    version = metadata.get(b"schema", b"").decode(errors="replace")
    if version != VERSION:
        raise UsageError(f"{name} is {version or 'of no known schema'}, not {VERSION}")
    try:
        body: dict[str, Any] = json.loads(metadata[b"pinlab"])
        return Meta(
            **{
                **body,
                "attached": tuple(body["attached"]),
                "failed": tuple(body["failed"]),
                "stacks": tuple(tuple(stack) for stack in body["stacks"]),
            }
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{name} says {VERSION} but not what it was made with") from None


def from_table(table: pa.Table, name: str = "this table") -> Iterator[Row]:
    """The rows of a table. Raises UsageError if it has not the columns, or unknown kinds."""
    meta_of(table, name)
    missing = [f.name for f in SCHEMA if f.name not in table.column_names]
    if missing:
        raise UsageError(f"{name} is no {VERSION}: it has no column {', '.join(missing)}")
    try:
        table = table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, ValueError) as error:
        raise UsageError(f"{name} is no {VERSION}: {str(error).splitlines()[0]}") from None
    for batch in table.to_batches(max_chunksize=1 << 16):
        columns = [column.to_pylist() for column in batch.columns]
        for values in zip(*columns, strict=True):
            row = dict(zip(SCHEMA.names, values, strict=True))
            try:
                row["kind"] = Event(row["kind"])
            except ValueError:
                raise UsageError(f"{name} has an event that is not known: {row['kind']}") from None
            yield Row(**row)
