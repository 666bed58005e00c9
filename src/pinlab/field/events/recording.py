"""A recording: rows and what they were made with, as one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pinlab.errors import UsageError
from pinlab.field.events.batch import Batch
from pinlab.field.events.schema import SCHEMA, VERSION, Meta, Row


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
    return with_meta(pa.Table.from_batches([Batch.of(rows).columns]), meta)


def with_meta(table: pa.Table, meta: Meta) -> pa.Table:
    """The table, saying what it was made with, and how long it is."""
    meta = replace(meta, rows=table.num_rows)
    body = {field.name: getattr(meta, field.name) for field in fields(Meta)}
    return table.replace_schema_metadata({"schema": VERSION, "pinlab": json.dumps(body)})


def read(path: Path) -> tuple[Batch, Meta]:
    """Read a recording. Raises UsageError if it is none, or of another version."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"{path} is no recording, or is cut short: {reason}") from None
    return from_table(table, str(path)), meta_of(table, str(path))


def meta_of(table: pa.Table, name: str = "this table") -> Meta:
    """What a table was made with. Raises UsageError."""
    metadata = table.schema.metadata or {}
    version = metadata.get(b"schema", b"").decode(errors="replace")
    if version != VERSION:
        raise UsageError(f"{name} is {version or 'of no known schema'}, not {VERSION}")
    try:
        return _meta(json.loads(metadata[b"pinlab"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError(f"{name} says {VERSION} but not what it was made with") from None


NUMBERS = ("ring_bytes", "lost", "began_ns", "ended_ns")
FLAGS = ("dirty", "private", "writeback")


def _meta(body: dict[str, Any]) -> Meta:
    """What the metadata of a file says. Raises TypeError or such if that makes no sense."""
    flag_bits = {str(name): int(bit) for name, bit in body["flag_bits"].items()}
    if not all(0 <= flag_bits[name] < 64 for name in FLAGS):
        raise ValueError("flags that are none")
    if not all(isinstance(body[name], int) and body[name] >= 0 for name in NUMBERS):
        raise ValueError("numbers that are none")
    if not isinstance(body.get("rows"), int | None):
        raise TypeError("rows are counted in numbers")
    return Meta(
        **{
            **body,
            "kernel": str(body["kernel"]),
            "attached": tuple(map(str, body["attached"])),
            "failed": tuple(map(str, body["failed"])),
            "flag_bits": flag_bits,
            "stacks": tuple(tuple(map(str, stack)) for stack in body["stacks"]),
        }
    )


def from_table(table: pa.Table, name: str = "this table") -> Batch:
    """The rows of a table. Raises UsageError if it has not the columns, or unknown kinds."""
    meta_of(table, name)
    missing = [f.name for f in SCHEMA if f.name not in table.column_names]
    if missing:
        raise UsageError(f"{name} is no {VERSION}: it has no column {', '.join(missing)}")
    try:
        table = table.select(SCHEMA.names).cast(SCHEMA).unify_dictionaries().combine_chunks()
    except (pa.ArrowException, ValueError) as error:
        raise UsageError(f"{name} is no {VERSION}: {str(error).splitlines()[0]}") from None
    nulls = [f.name for f in SCHEMA if not f.nullable and table[f.name].null_count]
    if nulls:
        raise UsageError(f"{name} is no {VERSION}: rows without {', '.join(nulls)}")
    batches = table.to_batches()
    try:
        return Batch(batches[0]) if batches else Batch.of(())
    except ValueError as error:
        raise UsageError(f"{name} has an event that is not known: {error}") from None
