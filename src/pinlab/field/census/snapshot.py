"""A census in a file: Parquet, one row per pinned folio, described in docs/field.md.

What is not a row (kernel, totals, names of flags) is one JSON object in the metadata of the
Arrow schema, under the key `pinlab`. Kernel addresses are left out unless they are asked for.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pinlab import parquet
from pinlab.errors import UsageError
from pinlab.field.census import COLUMNS, Census, Confidence, Folios, Kind, Totals
from pinlab.field.census.files import MappedFile
from pinlab.field.census.mappers import Mapper
from pinlab.field.census.place import Placed
from pinlab.names import printable

SCHEMA = "pinlab.census/1"
_KEY = b"pinlab"
CORRUPT = (
    *(pa.ArrowException, AttributeError, KeyError),
    *(OverflowError, OSError, RecursionError, TypeError, ValueError),
)
"""What comes of metadata and columns that nobody would write."""
_DAY = 86_400.0
LARGEST = 18
"""The order of a folio of 1 GiB, the largest there is."""

_WORD = pa.dictionary(pa.int32(), pa.string())
FIELDS = pa.schema(
    [
        pa.field("pfn", pa.uint64(), nullable=False),
        pa.field("order", pa.uint8(), nullable=False),
        pa.field("pins", pa.int64(), nullable=False),
        pa.field("refcount", pa.int64(), nullable=False),
        pa.field("mapcount", pa.int64(), nullable=False),
        pa.field("expected", pa.int64(), nullable=False),
        pa.field("unexplained", pa.int64(), nullable=False),
        pa.field("confidence", _WORD, nullable=False),
        pa.field("kind", _WORD, nullable=False),
        pa.field("hugetlb", pa.bool_(), nullable=False),
        pa.field("flags", pa.uint64(), nullable=False),
        pa.field("index", pa.uint64(), nullable=False),
        pa.field("mapping", pa.uint64()),
        pa.field("device", _WORD),
        pa.field("inode", pa.uint64()),
        pa.field("file_system", _WORD),
        pa.field("path", _WORD),
        pa.field("pid", pa.int32()),
        pa.field("command", _WORD),
        pa.field("address", pa.uint64()),
    ]
)


def save(placed: Placed, path: Path, *, raw: bool = False) -> None:
    """Write a census; `raw` keeps the addresses of kernel structures, and then only its owner may
    read the file. Raises UsageError."""
    whole = table(placed, raw=raw)
    parquet.write(path, whole, raw=raw)


def table(placed: Placed, *, raw: bool = False) -> pa.Table:
    """The census as an Arrow table with its metadata."""
    census, folios = placed.census, placed.census.folios
    columns: dict[str, Any] = {name: getattr(folios, name) for name in COLUMNS}
    columns["confidence"] = [Confidence(each).name.lower() for each in folios.confidence.tolist()]
    columns["kind"] = [Kind(each).name.lower() for each in folios.kind.tolist()]
    if not raw:
        columns["mapping"] = [None] * len(folios)
    for name in ("device", "inode", "file_system", "path"):
        columns[name] = [None if file is None else _kept(file, name) for file in placed.files]
    for name in ("pid", "command", "address"):
        columns[name] = [None if each is None else _kept(each, name) for each in placed.mappers]
    totals = census.totals
    about = {
        "schema": SCHEMA,
        "kernel": census.kernel,
        "source": census.source,
        "boot": census.boot,
        "taken": census.taken,
        "seconds": census.seconds,
        "totals": {name: getattr(totals, name) for name in _TOTALS},
        "flag_names": {str(bit): name for bit, name in census.flag_names.items()},
    }
    arrays = [pa.array(columns[each.name], type=each.type) for each in FIELDS]
    schema = FIELDS.with_metadata({_KEY: json.dumps(about).encode()})
    return pa.Table.from_arrays(arrays, schema=schema)


def _kept(of: object, name: str) -> Any:
    """A value as the file has it: a name that is no text cannot stand there."""
    value = getattr(of, name)
    return printable(value) if isinstance(value, str) else value


_TOTALS = ("scanned", "unreadable", "false_positives", "vanished", "acquired", "released")


def load(path: Path) -> Placed:
    """A census that `save` wrote. Raises UsageError that says what is wrong with the file."""
    read = parquet.read(path, "a saved census")
    about = _about(read, path)
    for each in FIELDS:
        if each.name not in read.column_names:
            raise UsageError(f"{path} is not a saved census: it has no column {each.name}")
    try:
        return _placed(read.select(FIELDS.names).cast(FIELDS), about)
    except CORRUPT as error:
        raise UsageError(f"{path} is corrupt: {error}") from error


def _about(read: pa.Table, path: Path) -> dict[str, Any]:
    text = (read.schema.metadata or {}).get(_KEY)
    try:
        about = None if text is None else json.loads(text)
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{path} is corrupt: its metadata is not JSON") from error
    if not isinstance(about, dict) or "schema" not in about:
        raise UsageError(f"{path} is not a saved census: pinlab did not write it")
    if about["schema"] != SCHEMA:
        raise UsageError(
            f"{path} has the schema {about['schema']}, this pinlab reads {SCHEMA}; "
            "use the version of pinlab that wrote it"
        )
    return about


def _placed(read: pa.Table, about: dict[str, Any]) -> Placed:
    values = {name: read.column(name).to_pylist() for name in FIELDS.names}
    values["confidence"] = [Confidence[word.upper()] for word in values["confidence"]]
    values["kind"] = [Kind[word.upper()] for word in values["kind"]]
    values["mapping"] = [word or 0 for word in values["mapping"]]
    folios = Folios(**{name: np.array(values[name], dtype) for name, dtype in COLUMNS.items()})
    _sensible(folios, about)
    totals = about["totals"]
    census = Census(
        kernel=str(about["kernel"]),
        seconds=float(about["seconds"]),
        taken=float(about["taken"]),
        folios=folios,
        totals=Totals(
            scanned=int(totals["scanned"]),
            unreadable=int(totals["unreadable"]),
            false_positives=int(totals["false_positives"]),
            vanished=int(totals["vanished"]),
            acquired=_pair(totals["acquired"]),
            released=_pair(totals["released"]),
        ),
        source=str(about["source"]),
        boot=str(about["boot"]),
        flag_names={int(bit): str(name) for bit, name in about["flag_names"].items()},
    )
    files = tuple(
        None if device is None else MappedFile(device, inode, system, path)
        for device, inode, system, path in zip(
            values["device"],
            values["inode"],
            values["file_system"],
            values["path"],
            strict=True,
        )
    )
    mappers = tuple(
        None if pid is None else Mapper(pid, command, address)
        for pid, command, address in zip(
            values["pid"], values["command"], values["address"], strict=True
        )
    )
    return Placed(census, files, mappers)


def _sensible(folios: Folios, about: dict[str, Any]) -> None:
    """Raise ValueError for figures that no census has."""
    for name in ("pins", "refcount", "mapcount"):
        if (getattr(folios, name) < 0).any():
            raise ValueError(f"{name} below zero")
    if (folios.order > LARGEST).any():
        raise ValueError("folios larger than 1 GiB")
    for name in ("taken", "seconds"):
        if not 0 <= float(about[name]) <= time.time() + _DAY:
            raise ValueError(f"{name} is no time")


def _pair(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    before, after = value
    return int(before), int(after)
