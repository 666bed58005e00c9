"""Small made-up recordings: of a device that reads into a page while fsync writes it back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pinlab.field.events.schema import Meta, Row
from pinlab.objectives.events import Event

STACK = ("folio_mark_dirty_lock", "fuse_release_user_pages", "fuse_aio_complete")
META = Meta(
    kernel="6.18",
    btf_sha256="0" * 64,
    attached=("writeback_dirty_folio",),
    failed=(),
    ring_bytes=1 << 20,
    lost=0,
    flag_bits={"uptodate": 2, "dirty": 3, "private": 13, "writeback": 15},
    stacks=(STACK,),
    began_ns=0,
    ended_ns=0,
)
FILE = {"dev": 254 << 20, "ino": 77}


def row(kind: Event, at: int = 0, pfn: int = 0x1000, **rest: Any) -> Row:
    """One event `at` nanoseconds after the begin."""
    blank: dict[str, Any] = dict.fromkeys(field.name for field in fields(Row))
    blank |= {"seq": at, "src": "raw_tp", "kernel": "6.18", "ts_ns": 10**15 + at, "kind": kind}
    blank |= {"pfn": pfn, "head_pfn": pfn, "refcount": 3, "mapcount": 1, "comm": "dd", "flags": 4}
    blank |= dict.fromkeys(("cpu", "order", "index", "dropped_before"), 0)
    blank |= {"mapping": 0xFFFF888000001000, "has_private": True, "pid": 411, "tid": 411}
    return Row(**(blank | rest))


def o1(pages: int = 4) -> tuple[list[Row], list[int]]:
    """The hazard on some pages of one file; and the numbers of the rows that violate O1."""
    rows: list[Row] = []
    bad: list[int] = []

    def add(kind: Event, at: int, page: int, **rest: Any) -> None:
        rows.append(row(kind, at + page * 900, 0x1000 + page, index=page, **FILE, **rest))

    device = {"io_id": 9, "op": "READ", "io_dev": 7 << 20, "io_pinned": True}
    image = {"io_id": 10, "op": "WRITE", "io_dev": 254 << 20}
    fsync = {"comm": "fsync", "pid": 412, "tid": 412}
    for page in range(pages):
        add(Event.FAULT_MKWRITE, 10_000, page)
        add(Event.DIRTY, 12_000, page, flags=12, stack_id=0)
        add(Event.PIN, 20_000, page, refcount=1027, **device)
    for page in range(pages):
        add(Event.CLEAN_FOR_IO, 80_000, page, refcount=1027, **fsync)
        add(Event.MKCLEAN, 80_400, page, refcount=1027, **fsync)
        add(Event.WRITEBACK_START, 90_000, page, refcount=1028, flags=1 << 15, **fsync, **image)
    for page in range(pages):
        bad.append(len(rows))
        add(Event.DEV_STORE, 120_000, page, refcount=1028, **device)
    for page in range(pages):
        add(Event.WRITEBACK_END, 160_000, page, refcount=1027, **image)
    for page in range(pages):
        add(Event.DIRTY, 230_000, page, refcount=1027, flags=12, stack_id=0)
        add(Event.UNPIN, 231_000, page, **device)
    return rows, bad
