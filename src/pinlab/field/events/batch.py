"""Rows as columns: a sequence of `Row` that makes a row only when somebody looks at it.

The reader of the ring, the monitor and a file all speak in batches: of some hundred thousand
rows a second nearly none is ever looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinlab.field.events.schema import SCHEMA, Row, pins
from pinlab.objectives.events import Event


class Batch(Sequence[Row]):
    """Rows in the order they happened."""

    def __init__(self, columns: pa.RecordBatch) -> None:
        """`columns` are those of SCHEMA. Raises ValueError for an event that is not known."""
        self.columns = columns
        names = columns["kind"].dictionary.to_pylist()
        if strange := sorted(set(names) - set(Event)):
            raise ValueError(", ".join(strange))
        self._names = [Event(name) for name in names]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Batch:
        """The rows as one batch; itself if they are one."""
        if isinstance(rows, Batch):
            return rows
        listed = list(rows)
        columns = [
            pa.array([getattr(row, each.name) for row in listed], type=each.type) for each in SCHEMA
        ]
        return cls(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Batch: ...
    def __getitem__(self, at: int | slice) -> Row | Batch:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                raise ValueError("a batch is cut into pieces without gaps only")
            return Batch(self.columns.slice(start, max(0, stop - start)))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return next(iter(Batch(self.columns.slice(at % len(self), 1))))

    def __iter__(self) -> Iterator[Row]:
        lists = [column.to_pylist() for column in self.columns.columns]
        names = self.columns.schema.names
        for values in zip(*lists, strict=True):
            row = dict(zip(names, values, strict=True))
            yield Row(**{**row, "kind": Event(row["kind"])})

    def numbers(self, name: str) -> list[int]:
        """A column of numbers; -1 where there is none."""
        return list(self._array(name).tolist())

    @cached_property
    def kinds(self) -> list[Event]:
        """What each row is."""
        return [self._names[i] for i in self.columns["kind"].indices.to_numpy().tolist()]

    def where(self, name: str, value: str) -> list[bool]:
        """Of which rows a column of names says this."""
        names = self.columns[name].dictionary.to_pylist()
        if value not in names:
            return [False] * len(self)
        indices = self.columns[name].indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return list((indices == names.index(value)).tolist())

    def names(self, column: str) -> set[str]:
        """What a column of names says, over all rows."""
        return set(self.columns[column].unique().to_pylist()) - {None}

    @cached_property
    def pins(self) -> list[int]:
        """Pins of each folio by the counts of its row."""
        return list(pins(self._array("refcount"), self._array("pincount")).tolist())

    def _array(self, name: str) -> npt.NDArray[Any]:
        column = self.columns[name]
        if column.null_count:
            column = column.cast(pa.int64(), safe=False).fill_null(-1)
        return np.asarray(column.to_numpy(zero_copy_only=False))
