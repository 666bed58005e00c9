"""Rows out of records and what was made of them, all columns of a batch at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinlab.field.events.batch import Batch
from pinlab.field.events.schema import SCHEMA
from pinlab.field.probes.record import NONE, Records
from pinlab.names import decoded, printable
from pinlab.objectives.events import Event

RAW: Final = "raw_tp"
FENTRY: Final = "fentry"
INFERRED: Final = "inferred"

# Dictionaries of the columns of names. Arrow looks for pandas at each list that it is given, so
# it is given them once.
_KINDS: Final[tuple[str, ...]] = tuple(Event)
_SOURCES: Final[tuple[str, ...]] = (RAW, FENTRY, INFERRED)
_OPS: Final[tuple[str, ...]] = ("READ", "WRITE")
_DICTIONARIES: Final = {names: pa.array(list(names)) for names in (_KINDS, _SOURCES, _OPS)}
_NUMBERS: Final = {
    names: {name: number for number, name in enumerate(names)} for names in _DICTIONARIES
}


class Emitted(NamedTuple):
    """A row to be: the record that says it, and what was made of that."""

    record: int
    """Number of the record in its batch."""
    kind: Event
    src: str
    op: str
    io_id: int
    io_dev: int
    io_pinned: bool
    completed: bool
    """The record is of a completion, so it has a status."""
    stack: int
    dropped: int


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


class Columns:
    """Makes batches whose rows are numbered through."""

    def __init__(self, kernel: str, flag_bits: Mapping[str, int], names: Names) -> None:
        self._kernel = pa.array([kernel])
        self._private = 1 << flag_bits["private"]
        self._names = names
        self._mappings: dict[int, int] = {}
        self._rows = 0

    def batch(self, records: Records, emitted: Sequence[Emitted]) -> Batch:
        """The rows of a batch of records."""
        if not emitted:
            return Batch.of(())
        count = len(emitted)
        made = dict(zip(Emitted._fields, zip(*emitted, strict=True), strict=True))
        of = records[np.array(made["record"])]
        has_file = of["mapping"] != 0
        io_id = np.array(made["io_id"])
        io_dev = np.array(made["io_dev"])
        columns: dict[str, Any] = {
            "seq": np.arange(self._rows, self._rows + count, dtype="u8"),
            "src": _named(made["src"], _SOURCES),
            "kernel": pa.DictionaryArray.from_arrays(np.zeros(count, "i4"), self._kernel),
            "kind": _named(made["kind"], _KINDS),
            "pfn": of["page"],
            "head_pfn": of["head"],
            "pincount": _nullable(of["pincount"], of["pincount"] == NONE),
            "mapcount": _nullable(of["mapcount"], of["mapcount"] == NONE),
            "mapping": self._mapping(of["mapping"]),
            "dev": _nullable(of["dev"], ~has_file),
            "ino": _nullable(of["ino"], ~has_file),
            "has_private": of["flags"] & self._private != 0,
            "comm": _text(of["comm"]),
            "op": _named(made["op"], _OPS),
            "io_id": _nullable(io_id, io_id == NONE),
            "io_dev": _nullable(io_dev, io_dev == NONE),
            "io_pinned": pa.array(np.array(made["io_pinned"]), mask=io_id == NONE),
            "stack_id": _nullable(np.array(made["stack"]), np.array(made["stack"]) == NONE),
            "ret": _nullable(-of["status"].astype("i4"), ~np.array(made["completed"])),
            "dropped_before": np.minimum(np.array(made["dropped"]), 0xFFFFFFFF),
        }
        arrays = [_array(columns, of, each) for each in SCHEMA]
        self._rows += count
        return Batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))

    def _mapping(self, addresses: npt.NDArray[Any]) -> npt.NDArray[Any]:
        known, which = np.unique(addresses, return_inverse=True)
        named = []
        for address in known.tolist():
            if address not in self._mappings:
                self._mappings[address] = self._names.mapping(address)
            named.append(self._mappings[address])
        return np.array(named, "u8")[which]


def _array(columns: Mapping[str, Any], of: Records, wanted: pa.Field) -> Any:
    """A column of the schema: made apart, or as the record has it."""
    found = columns.get(wanted.name)
    if found is None:
        found = of[wanted.name]
    if not isinstance(found, pa.Array):
        found = pa.array(found)
    return found if found.type == wanted.type else found.cast(wanted.type)


def _nullable(values: npt.NDArray[Any], absent: npt.NDArray[Any]) -> Any:
    return pa.array(np.where(absent, 0, values), mask=absent)


def _named(values: Sequence[str], names: tuple[str, ...]) -> Any:
    """Names out of a few; null for an empty one."""
    numbers = _NUMBERS[names]
    codes = np.array([numbers.get(value, NONE) for value in values], "i4")
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes == NONE), _DICTIONARIES[names])


def _text(values: npt.NDArray[Any]) -> Any:
    """Commands, which need not be UTF-8, as a dictionary."""
    encoded = pa.array(values).dictionary_encode()
    names = [printable(decoded(each)) for each in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices).dictionary_encode()
