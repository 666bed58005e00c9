"""What the timeline wants of a recorded event (docs/events.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pinlab.field.events.names import numbers
from pinlab.field.events.schema import Meta, Row
from pinlab.objectives.events import Event
from pinlab.report.events import flag_names
from pinlab.report.timeline.model import Args

MODEL = "model"
BIAS = 1024
"""GUP_PIN_COUNTING_BIAS: what one pin adds to the reference count of a folio of one page."""

Place = tuple[int, int, int]
"""Device, inode and index."""

STACK = 12  # functions of a stack that are shown


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row, its place in the recording from 0, and its time since the first."""

    number: int
    at: int
    row: Row

    @property
    def place(self) -> Place | None:
        """Where the folio is in the page cache. Inode 0 is no file."""
        if not self.row.ino:
            return None
        return self.row.dev or 0, self.row.ino, self.row.index

    def pins(self, before: int | None) -> int | None:
        """Pins of the folio at this event; `before` is what was known of it earlier.

        The kernel counts them for large folios; of others the reference count tells, whose
        multiples of the bias are pins but for a folio with very many references. The model has
        neither, so there pins and unpins are added up.
        """
        if self.row.pincount is not None:
            return self.row.pincount
        if self.row.src != MODEL:
            return max(self.row.refcount, 0) // BIAS if not self.row.order else before
        change = {Event.PIN: 1, Event.UNPIN: -1}.get(self.row.kind)
        return before if change is None else max((before or 0) + change, 0)


def in_order(rows: Iterable[Row]) -> Iterator[Numbered]:
    """Rows sorted by time, then by sequence number, then as they stand."""
    found = sorted(enumerate(rows), key=lambda each: (each[1].ts_ns, each[1].seq, each[0]))
    for number, row in found:
        yield Numbered(number, row.ts_ns - found[0][1].ts_ns, row)


def args(each: Numbered, meta: Meta) -> Args:
    """What a person wants to see of an event. Kernel addresses are left out."""
    row = each.row
    shown: dict[str, str | int | bool] = {"event": each.number + 1, "kind": row.kind.value}
    if row.src == MODEL:
        return shown | {"process": row.comm}
    shown |= {
        "source": row.src,
        "process": f"{row.comm} ({row.tid})",
        "cpu": row.cpu,
        "refcount": row.refcount,
    }
    pins = each.pins(None)
    optional = {
        "pins": pins,
        "mapcount": row.mapcount,
        "flags": _flags(row.flags, meta),
        "private data": row.has_private,
        "operation": row.op,
        "I/O device": None if row.io_dev is None else numbers(row.io_dev),
        "I/O pins": row.io_pinned,
        "returned": row.ret,
        "stack": _stack(row.stack_id, meta),
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def _flags(bits: int, meta: Meta) -> str:
    """Page flags by name, as "dirty uptodate"."""
    if not meta.flag_bits:
        return f"{bits:#x}"
    return " ".join(flag_names(bits, meta.flag_bits)) or "none of note"


def _stack(which: int | None, meta: Meta) -> str | None:
    """The functions of a stack, innermost first."""
    if which is None or not 0 <= which < len(meta.stacks):
        return None
    functions = meta.stacks[which]
    return " < ".join(functions[:STACK]) + (" < ..." if len(functions) > STACK else "")
