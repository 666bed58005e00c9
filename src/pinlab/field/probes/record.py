"""A record as the programs write it into the ring, and as columns of numbers.

The two first struct pages of a folio are copied as they are, so that the program needs to know
little of them; what they mean is worked out here, for all records at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pinlab.field.layout.page import Field, LargeMapcount
from pinlab.field.probes.hooks import EventLayout

_FIELDS: Final = {
    "ts_ns": (0, "<u8"),
    "pid_tgid": (8, "<u8"),
    "comm": (16, "S16"),
    "lost": (32, "<u8"),
    "cpu": (40, "<u8"),
    "hook": (48, "<u8"),
    "io": (56, "<u8"),
    "opf": (64, "<u8"),
    "status": (72, "<u8"),
    "io_dev": (80, "<u8"),
    "page": (88, "<u8"),
    "pages": (96, "<u8"),
    "head": (104, "<u8"),
    "folio": (112, "V128"),
    "ino": (240, "<u8"),
    "mode": (248, "<u8"),
    "dev": (256, "<u8"),
    "stack": (264, "<i8"),
    "count": (272, "<u8"),
}
BYTES: Final = 280
COPIED: Final = 128
"""Bytes of a record, and of a folio in it."""

AT: Final = {name: offset for name, (offset, _) in _FIELDS.items()}
"""Where each field lies in a record, in bytes."""

NONE: Final = -1
"""In a column: there is none, or nobody knows."""

RECORD: Final = np.dtype(
    [
        ("hook", "u1"),
        ("ts_ns", "u8"),
        ("pid", "u4"),
        ("tid", "u4"),
        ("comm", "S16"),
        ("cpu", "u2"),
        ("lost", "u8"),  # records lost until then, in all
        ("page", "u8"),  # the frame that the event is about
        ("head", "u8"),  # ... and that its folio begins with
        ("pages", "u4"),  # pages of the folio that the event covers
        ("order", "u1"),
        ("flags", "u8"),
        ("refcount", "i4"),
        ("pincount", "i4"),  # NONE: a small folio, whose pins are in the refcount
        ("mapcount", "i4"),  # NONE: not to be told
        ("mapping", "u8"),
        ("index", "u8"),
        ("dev", "u4"),
        ("ino", "u8"),
        ("io", "u8"),  # which bio: the address of its bvecs, the same in its clones. 0: none
        ("write", "?"),
        ("pinned", "?"),  # BIO_PAGE_PINNED
        ("io_dev", "u4"),
        ("status", "u1"),
        ("stack", "i4"),  # its number in the map of stacks
        ("count", "u4"),  # of a pin taken or dropped: how many references
    ]
)
"""A record decoded."""

Records = npt.NDArray[Any]
"""An array of RECORD."""


def in_ring(header: int) -> np.dtype[Any]:
    """A record as it lies in the ring, behind a header of so many bytes whose first are flags."""
    names = ["header", *_FIELDS]
    return np.dtype(
        {
            "names": names,
            "formats": ["<u4", *(kind for _, kind in _FIELDS.values())],
            "offsets": [0, *(header + offset for offset, _ in _FIELDS.values())],
            "itemsize": header + BYTES,
        }
    )


def decode(raw: npt.NDArray[Any], layout: EventLayout, vmemmap: int) -> Records:
    """What records of the ring say. `vmemmap` is the address of the first struct page."""
    page = layout.page
    found = np.empty(len(raw), RECORD)
    for name in ("hook", "ts_ns", "comm", "lost", "cpu", "pages", "ino", "dev", "io", "stack"):
        found[name] = raw[name]
    found["count"] = raw["count"] & 0xFFFFFFFF
    found["io_dev"] = raw["io_dev"] & 0xFFFFFFFF
    found["status"] = raw["status"] & 0xFF
    found["pid"] = raw["pid_tgid"] >> np.uint64(32)
    found["tid"] = raw["pid_tgid"] & np.uint64(0xFFFFFFFF)
    for name in ("page", "head"):
        found[name] = (raw[name] - np.uint64(vmemmap)) // np.uint64(page.page_size)
    found["write"] = np.isin(raw["opf"] & np.uint64(0xFF), (1, layout.zone_append))
    found["pinned"] = False
    if layout.pinned_flag >= 0:
        bit = 8 * (layout.bio_flags - layout.bio_opf) + layout.pinned_flag
        found["pinned"] = raw["opf"] >> np.uint64(bit) & np.uint64(1)
    _counts(found, raw, layout)
    return found


def _counts(found: Records, raw: npt.NDArray[Any], layout: EventLayout) -> None:
    page = layout.page
    copies = np.ascontiguousarray(raw["folio"]).view(np.uint8).reshape(len(raw), COPIED)

    def column(field: Field, kind: str) -> npt.NDArray[Any]:
        at = field.page * page.page_size + field.offset
        size = np.dtype(kind).itemsize
        return np.ascontiguousarray(copies[:, at : at + size]).view(kind).reshape(len(raw))

    for name, field in (("flags", page.flags), ("mapping", page.mapping), ("index", page.index)):
        found[name] = column(field, "<u8")
    found["refcount"] = column(page.refcount, "<i4")
    maps = column(page.mapcount, "<i4")
    large = (found["flags"] >> np.uint64(page.flag_bits["head"]) & np.uint64(1)).astype(bool)
    found["mapcount"] = np.where(maps < page.type_limit, NONE, maps + 1)
    found["order"] = np.where(large, column(page.order, "u1") & 31, 0)
    found["pincount"] = np.where(large, column(page.pincount, "<i4"), NONE)
    if page.large_mapcount_rule is LargeMapcount.LARGE:
        maps = column(page.large_mapcount, "<i4") + 1
    else:
        maps = np.full(len(raw), NONE, "<i4")  # one count per page: not in the copy
    found["mapcount"][large] = maps[large]


def of(records: Iterable[dict[str, Any]]) -> Records:
    """Records from their fields; one that is not named is 0."""
    listed = list(records)
    found = np.zeros(len(listed), RECORD)
    for number, fields in enumerate(listed):
        for name, value in fields.items():
            found[name][number] = value
    return found
