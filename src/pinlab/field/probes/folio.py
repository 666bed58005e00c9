"""The piece that all programs share: the record of one folio, written into the ring.

A record tells the folio at that instant: its two first struct pages are copied whole, and its
file is followed (mapping, inode, super block). Only folios of regular files on a disk are recorded
(of others no bio shows the writeback; shared memory is anonymous in all that matters here), and
those that lost their file while a device holds them. Nothing in here waits, takes a lock or
writes to memory that is not ours. When the ring is full the count of what was lost goes up, and
each later record carries it.

Registers: r6 what the hook gave, r7 turns of a loop, r8 bio, r9 the record. A program sets the
places of the stack that are named here, and goes on at "next".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pinlab.field.census.struct_page import MASK_SHIFT, MASK_TOP
from pinlab.field.layout.page import PIN_BIAS
from pinlab.field.machine import bpf
from pinlab.field.machine.bpf import (
    R0,
    R1,
    R2,
    R3,
    R6,
    R9,
    R10,
    add_imm,
    call,
    load,
    mov,
    mov_imm,
    store,
)
from pinlab.field.probes import assembler as a
from pinlab.field.probes import record
from pinlab.field.probes.assembler import Item, Label
from pinlab.field.probes.hooks import EventLayout, Hook

FRAMES: Final = 24
"""Addresses of a stack that are kept."""

# Places on the stack, of 8 bytes each. What a program has of the folio and of its I/O:
CONTEXT, AT, END, VECS, OPF, STATUS, DEV, COUNT = (-8 * i for i in range(1, 9))
# ... and what is worked out here.
TEMP, _MAPPING, _HEAD, _HOST, _INO, _MODE, _SB_DEV = (-8 * i for i in range(9, 16))
FREE: Final = -8 * 15
"""Below it a program has places of its own."""

S_IFMT: Final = 0o170000
S_IFREG: Final = 0o100000
FS_REQUIRES_DEV: Final = 1


@dataclass(frozen=True, slots=True)
class Filter:
    """What is recorded of: a file system's device (dev_t), a file of it; None: any."""

    dev: int | None = None
    ino: int | None = None
    pinned: bool = False
    """Only folios that are pinned at that instant: a thousandth of what happens to pages."""


@dataclass(frozen=True, slots=True)
class Maps:
    """Descriptors of the ring, of the count of what was lost, and of the stacks."""

    ring: int
    lost: int
    stacks: int


def get(to: int, size: int, register: int, offset: int = 0) -> list[Item]:
    """Copy kernel memory at register + offset to a place on the stack; zeros if unmapped."""
    return [
        mov(R3, register),
        add_imm(R3, offset),
        a.slot(R1, to),
        mov_imm(R2, size),
        call(a.READ_KERNEL),
    ]


def record_of(hook: Hook, layout: EventLayout, maps: Maps, only: Filter) -> list[Item]:
    """Write the record of the folio at AT, and move AT behind it."""
    at = record.AT
    from_place = {
        "io": VECS,
        "opf": OPF,
        "status": STATUS,
        "io_dev": DEV,
        "head": _HEAD,
        "ino": _INO,
        "mode": _MODE,
        "dev": _SB_DEV,
        "count": COUNT,
    }
    orphan: list[Item] = []
    if hook in (Hook.BIO_COMPLETE, Hook.RQ_COMPLETE, Hook.BIO_QUEUE) and layout.pinned_flag >= 0:
        shift = 8 * (layout.bio_flags - layout.bio_opf) + layout.pinned_flag
        orphan = [load(R1, R10, OPF), a.shift_right(R1, shift), a.if_bits(R1, 1, "kept")]
    return [
        *_file(layout, only),
        a.go("kept"),
        Label("orphan"),
        *orphan,
        a.go("skip"),
        Label("kept"),
        a.map_fd(R1, maps.ring),
        mov_imm(R2, record.BYTES),
        mov_imm(R3, 0),
        call(a.RING_RESERVE),
        a.if_equal(R0, 0, "full"),
        mov(R9, R0),
        call(a.FETCH_TIME),
        store(R9, R0, at["ts_ns"]),
        call(a.CURRENT_PID),
        store(R9, R0, at["pid_tgid"]),
        mov(R1, R9),
        add_imm(R1, at["comm"]),
        mov_imm(R2, 16),
        call(a.CURRENT_COMM),
        bpf.map_value(R1, maps.lost),
        load(R1, R1, 0),
        store(R9, R1, at["lost"]),
        call(a.CURRENT_CPU),
        store(R9, R0, at["cpu"]),
        a.store_imm(R9, at["hook"], int(hook)),
        *(
            step
            for name, place in from_place.items()
            for step in (load(R1, R10, place), store(R9, R1, at[name]))
        ),
        mov(R1, R9),
        add_imm(R1, at["folio"]),
        mov_imm(R2, record.COPIED),
        load(R3, R10, _HEAD),
        call(a.READ_KERNEL),
        *_after(layout),
        *(
            _stack(maps)
            if hook in (Hook.DIRTY, Hook.GRAB)
            else [a.store_imm(R9, at["stack"], record.NONE)]
        ),
        mov(R1, R9),
        mov_imm(R2, a.NO_WAKEUP),
        call(a.RING_SUBMIT),
        a.go("next"),
        Label("full"),
        bpf.map_value(R1, maps.lost),
        mov_imm(R2, 1),
        a.atomic_add(R1, R2),
        Label("skip"),
        load(R1, R10, AT),
        add_imm(R1, layout.page.page_size),
        store(R10, R1, AT),
    ]


def _file(layout: EventLayout, only: Filter) -> list[Item]:
    """The folio's file; go on to "skip" if it is none that is recorded."""
    page = layout.page
    items: list[Item] = [
        load(R6, R10, AT),
        *get(TEMP, 8, R6, page.compound_head.offset),
        load(R1, R10, TEMP),
        a.if_bits(R1, 1, "tail"),
        mov(R1, R6),
        a.go("head"),
        Label("tail"),
        *(_masked() if page.head_by_mask else []),
        add_imm(R1, -1),
        Label("head"),
        store(R10, R1, _HEAD),
        *get(TEMP, 8, R1, page.flags.offset),
        load(R1, R10, TEMP),
        a.shift_right(R1, page.flag_bits["swapbacked"]),
        a.if_bits(R1, 1, "skip"),
        *(_pinned(layout) if only.pinned else []),
        load(R1, R10, _HEAD),
        *get(_MAPPING, 8, R1, page.mapping.offset),
        *(a.store_imm(R10, place, 0) for place in (_INO, _MODE, _SB_DEV)),
        load(R1, R10, _MAPPING),
        a.if_equal(R1, 0, "orphan"),
        a.if_bits(R1, 3, "skip"),
        *get(_HOST, 8, R1, layout.mapping_host),
        load(R3, R10, _HOST),
        *get(_MODE, 2, R3, layout.inode_mode),
        load(R1, R10, _MODE),
        a.and_imm(R1, S_IFMT),
        a.if_not(R1, S_IFREG, "skip"),
        load(R3, R10, _HOST),
        *get(_INO, 8, R3, layout.inode_ino),
        load(R3, R10, _HOST),
        *get(TEMP, 8, R3, layout.inode_sb),
        load(R3, R10, TEMP),
        *get(_SB_DEV, 4, R3, layout.sb_dev),
        load(R3, R10, TEMP),
        *get(TEMP, 8, R3, layout.sb_type),
        load(R3, R10, TEMP),
        a.store_imm(R10, TEMP, 0),
        *get(TEMP, 4, R3, layout.type_flags),
        load(R1, R10, TEMP),
        a.and_imm(R1, FS_REQUIRES_DEV),
        a.if_equal(R1, 0, "skip"),
    ]
    if only.dev is not None:
        items += [load(R1, R10, _SB_DEV), a.if_not(R1, only.dev, "skip")]
    if only.ino is not None:
        items += [
            load(R1, R10, _INO),
            a.op(0x18, R2, value=_signed(only.ino)) + a.op(0, value=_signed(only.ino >> 32)),
            a.Jump(0x5D, R1, R2, 0, "skip"),
        ]
    return items


def _masked() -> list[Item]:
    """_compound_head() of 7.2, if what a tail holds in R1 is a mask and no address."""
    return [
        mov(R2, R1),
        a.shift_right(R2, MASK_SHIFT),
        a.if_not(R2, MASK_TOP, "named"),
        a.and_register(R1, R6),  # whose bit 0 is clear
        a.go("head"),
        Label("named"),
    ]


def _pinned(layout: EventLayout) -> list[Item]:
    """folio_maybe_dma_pinned(), include/linux/mm.h: go to "skip" if it says no."""
    page = layout.page
    return [
        load(R1, R10, _HEAD),
        a.store_imm(R10, TEMP, 0),
        *get(TEMP, 4, R1, page.refcount.offset),
        load(R1, R10, TEMP),
        a.if_greater(R1, PIN_BIAS - 1, "pinned"),
        load(R1, R10, _HEAD),
        *get(TEMP, 8, R1, page.flags.offset),
        load(R1, R10, TEMP),
        a.shift_right(R1, page.flag_bits["head"]),
        a.if_bits(R1, 1, "large"),
        a.go("skip"),
        Label("large"),
        load(R1, R10, _HEAD),
        a.store_imm(R10, TEMP, 0),
        *get(TEMP, 4, R1, page.page_size * page.pincount.page + page.pincount.offset),
        load(R1, R10, TEMP),
        a.if_equal(R1, 0, "skip"),
        Label("pinned"),
    ]


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _after(layout: EventLayout) -> list[Item]:
    """Where the folio of the record ends, or the bvec if that is sooner: the next AT."""
    page = layout.page
    order = record.AT["folio"] + page.page_size * page.order.page + page.order.offset
    head = page.flag_bits["head"]
    return [
        mov_imm(R2, 1),
        load(R1, R9, record.AT["folio"] + page.flags.offset),
        a.shift_right(R1, head),
        a.and_imm(R1, 1),
        a.if_equal(R1, 0, "small"),
        a.load_byte(R3, R9, order),
        a.and_imm(R3, 31),
        a.shift_left_by(R2, R3),
        Label("small"),
        bpf.multiply_imm(R2, page.page_size),
        load(R1, R10, _HEAD),
        bpf.add(R2, R1),
        load(R3, R10, END),
        a.if_equal(R3, 0, "far"),
        a.if_at_least_register(R3, R2, "far"),
        mov(R2, R3),
        Label("far"),
        load(R1, R10, AT),
        store(R9, R1, record.AT["page"]),
        store(R10, R2, AT),
        a.subtract(R2, R1),
        a.divide_imm(R2, page.page_size),
        store(R9, R2, record.AT["pages"]),
    ]


def _stack(maps: Maps) -> list[Item]:
    """The number of the stack; an error, which is negative, if the map is full."""
    return [
        load(R1, R10, CONTEXT),
        a.map_fd(R2, maps.stacks),
        mov_imm(R3, 0),
        call(a.GET_STACK_ID),
        store(R9, R0, record.AT["stack"]),
    ]
