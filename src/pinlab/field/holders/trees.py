"""The kernel's arrays that are trees: xarray (lib/xarray.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.errors import FaultError
from pinlab.field.holders.access import Access

DEEPEST: Final = 16
"""Levels: a 64 bit index of 6 bits each has 11."""
_INTERNAL: Final = 4096
"""Pointers below are markers (XA_RETRY_ENTRY, siblings), not nodes."""


def xarray(kernel: Access, address: int) -> Iterator[int]:
    """The entries of a `struct xarray`, ascending by index. Raises FaultError."""
    yield from _entries(kernel, kernel.at("xarray", address)["xa_head"], 0)


def _entries(kernel: Access, entry: int, depth: int) -> Iterator[int]:
    if depth > DEEPEST:
        raise FaultError(entry, 8)
    if not entry:
        return
    if entry & 3 != 2:
        yield entry
        return
    if entry < _INTERNAL:
        return
    node = kernel.at("xa_node", entry - 2)
    count = kernel.structs.place("xa_node", "slots").size // 8
    for slot in kernel.pointers(node.where("slots"), count, count).tolist():
        yield from _entries(kernel, slot, depth + 1)


def value(entry: int) -> int | None:
    """The number that an xarray's entry is (xa_mk_value); None if it is a pointer."""
    return entry >> 1 if entry & 1 else None
