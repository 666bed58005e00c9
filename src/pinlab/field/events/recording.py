"""A recording: rows and what they were made with, as one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pinlab import parquet
from pinlab.errors import UsageError
from pinlab.field.events.batch import Batch
from pinlab.field.events.columns import FENTRY, INFERRED, RAW
from pinlab.field.events.schema import MODEL, SCHEMA, VERSION, Meta, Row
from pinlab.names import printable


def write(path: Path, table: pa.Table, *, raw: bool = False) -> None:
    """Write a recording as Parquet; an earlier file is replaced when the new one is whole. With
    `raw` addresses only its owner may read it. Raises UsageError."""
    parquet.write(path, table, raw=raw)


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
    table = parquet.read(path, "a recording")
    rows, meta = from_table(table, str(path)), meta_of(table, str(path))
    _of_one_kernel(rows, meta, path)
    return rows, meta


def _of_one_kernel(rows: Batch, meta: Meta, path: Path) -> None:
    """What the metadata says must be said of these rows. Raises UsageError."""
    if meta.rows is None:
        raise UsageError(f"{path} does not say how many rows it had, so its end may be missing")
    if len(rows) > meta.rows:
        raise UsageError(f"{path} has {len(rows):,} rows, of which {meta.rows:,} were recorded")
    if strange := rows.names("kernel") - {meta.kernel}:
        others = ", ".join(sorted(strange))
        raise UsageError(f"{path} is of {meta.kernel}, but has rows of {others}")
    known = {MODEL} if meta.kernel == MODEL else {RAW, FENTRY, INFERRED}
    if strange := rows.names("src") - known:
        others = ", ".join(sorted(strange))
        raise UsageError(f"{path} is of {meta.kernel}, but has rows whose src is {others}")


def meta_of(table: pa.Table, name: str = "this table") -> Meta:
    """What a table was made with. Raises UsageError."""
    metadata = table.schema.metadata or {}
    version = metadata.get(b"schema", b"").decode(errors="replace")
    if version != VERSION:
        raise UsageError(f"{name} is {version or 'of no known schema'}, not {VERSION}")
    try:
        return _meta(json.loads(metadata[b"pinlab"]))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise UsageError(f"{name} says {VERSION} but not what it was made with") from None


NUMBERS = ("ring_bytes", "lost", "began_ns", "ended_ns")
TEXTS = ("kernel", "btf_sha256", "note")
FLAGS = ("dirty", "private", "writeback")


def _meta(body: dict[str, Any]) -> Meta:
    """What the metadata of a file says. Raises TypeError or such if that makes no sense."""
    flag_bits = {str(name): int(bit) for name, bit in body["flag_bits"].items()}
    if not all(0 <= flag_bits[name] < 64 for name in FLAGS):
        raise ValueError("flags that are none")
    if not all(isinstance(body[name], int) and body[name] >= 0 for name in NUMBERS):
        raise ValueError("numbers that are none")
    if not all(isinstance(body.get(name, ""), str) for name in TEXTS):
        raise TypeError("sentences that are none")
    if not isinstance(body.get("rows"), int | None):
        raise TypeError("rows are counted in numbers")
    if not all(isinstance(body.get(name, False), bool) for name in ("pinned_only", "bios_pin")):
        raise TypeError("yes or no")
    return Meta(
        **{
            **body,
            **{name: printable(body[name]) for name in TEXTS if name in body},
            "attached": tuple(printable(str(each)) for each in body["attached"]),
            "failed": tuple(printable(str(each)) for each in body["failed"]),
            "flag_bits": flag_bits,
            "stacks": tuple(tuple(printable(str(f)) for f in stack) for stack in body["stacks"]),
        }
    )


def from_table(table: pa.Table, name: str = "this table") -> Batch:
    """The rows of a table. Raises UsageError if it has not the columns, or unknown kinds."""
    meta_of(table, name)
    missing = [f.name for f in SCHEMA if f.name not in table.column_names]
    if missing:
        raise UsageError(f"{name} is no {VERSION}: it has no column {', '.join(missing)}")
    if twice := [f.name for f in SCHEMA if table.column_names.count(f.name) > 1]:
        raise UsageError(f"{name} is no {VERSION}: it has more than one {', '.join(twice)}")
    try:
        table = table.select(SCHEMA.names).cast(SCHEMA).unify_dictionaries().combine_chunks()
        for each in SCHEMA:
            if pa.types.is_dictionary(each.type):
                table[each.name].unique().to_pylist()  # names are text, or this fails
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
