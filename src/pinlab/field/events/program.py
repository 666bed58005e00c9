"""The programs that write an event: one record per folio, made when the tracepoint is reached.

A record tells the folio at that instant: its two first struct pages are copied whole, and its
file is followed (mapping, inode, super block). Only folios of regular files on a disk are recorded
(no shared memory, which is anonymous in all that matters here), and those that lost their file
while a device holds them. A bio is walked by its bvecs, and a bvec by
its folios, in one loop with a bound; what goes beyond the bound counts as lost. Nothing in here
waits, takes a lock or writes to memory that is not ours. When the ring is full the count of what
was lost goes up, and each later record carries that count.

Registers: r6 what the tracepoint gave, r7 turns of the loop, r8 bio, r9 the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pinlab.field import bpf
from pinlab.field.bpf import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R9,
    R10,
    add_imm,
    call,
    load,
    mov,
    mov_imm,
    store,
)
from pinlab.field.events import assembler as a
from pinlab.field.events import record
from pinlab.field.events.assembler import Item, Label
from pinlab.field.events.layout import EventLayout, Function, Hook, Success
from pinlab.field.layout.page import PIN_BIAS

FRAMES: Final = 24
"""Addresses of a stack that are kept."""

TURNS: Final = 400
"""Folios of one bio or request, at most, for a verifier that walks each turn of a loop by itself.

Linux 6.9 knows a loop that it need not walk (`may_goto`), and then there is no such bound.
"""

PAGE: Final = 4096

# Places on the stack, of 8 bytes each.
_CONTEXT, _VECS, _INDEX, _DONE, _LEFT, _AT, _END, _HOST = (-8 * i for i in range(1, 9))
_BUDGET, _OPF, _STATUS, _DEV, _TEMP, _MAPPING, _HEAD = (-8 * i for i in range(9, 16))
_BVEC = -136
_INO, _MODE, _SB_DEV = -144, -152, -160
_COUNT = -168
_BIO = -168

S_IFMT: Final = 0o170000
S_IFREG: Final = 0o100000


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


def _get(to: int, size: int, register: int, offset: int = 0) -> list[Item]:
    """Copy kernel memory at register + offset to a place on the stack; zeros if unmapped."""
    return [
        mov(R3, register),
        add_imm(R3, offset),
        a.slot(R1, to),
        mov_imm(R2, size),
        call(a.READ_KERNEL),
    ]


def of_folio(hook: Hook, layout: EventLayout, maps: Maps, only: Filter) -> bytes:
    """A tracepoint whose first argument is a folio."""
    zero = (_END, _VECS, _OPF, _STATUS, _DEV, _COUNT)
    return a.assemble(
        [
            a.op(0x7B, R10, R1, _CONTEXT),
            load(R6, R1, 0),
            store(R10, R6, _AT),
            *(a.store_imm(R10, place, 0) for place in zero),
            *_record(hook, layout, maps, only),
            Label("next"),
            Label("end"),
            mov_imm(R0, 0),
            bpf.EXIT,
        ]
    )


def of_function(function: Function, layout: EventLayout, maps: Maps, only: Filter) -> bytes:
    """A function, on entry or, if its success is to be known, on return."""
    zero = (_END, _VECS, _OPF, _STATUS, _DEV, _COUNT)
    count = len(function.parameters)
    items: list[Item] = [
        a.op(0x7B, R10, R1, _CONTEXT),
        mov(R6, R1),
        load(R2, R6, 0),
        store(R10, R2, _AT),
        *(a.store_imm(R10, place, 0) for place in zero),
    ]
    if function.success is not Success.CALLED:
        # A returned int or bool has 32 bits of meaning, a pointer has a lower half too.
        items += [
            load(R2, R6, 8 * count),
            *([a.op(0xBC, R2, R2)] if function.success is Success.ZERO else []),
            (a.if_not if function.success is Success.ZERO else a.if_equal)(R2, 0, "end"),
        ]
    if count == 3:
        items += [
            load(R2, R6, 8),
            store(R10, R2, _COUNT),
            load(R2, R6, 16),
            mov(R3, R2),
            a.and_imm(R3, layout.foll_pin),
            a.if_equal(R3, 0, "end"),
            a.and_imm(R2, layout.foll_write),
            a.if_not(R2, 0, "written"),
            a.store_imm(R10, _OPF, 1),  # the holder only reads: a WRITE, as bios call it
            Label("written"),
        ]
    # To the verifier the argument is a pointer to a structure. Copied it is but a number.
    items += [mov(R3, R10), add_imm(R3, _AT), a.slot(R1, _AT), mov_imm(R2, 8), call(a.READ_KERNEL)]
    return a.assemble(
        [
            *items,
            *_record(function.hook, layout, maps, only),
            Label("next"),
            Label("end"),
            mov_imm(R0, 0),
            bpf.EXIT,
        ]
    )


def of_bio(
    hook: Hook, layout: EventLayout, maps: Maps, only: Filter, *, may_goto: bool = True
) -> bytes:
    """A tracepoint with a bio or a request."""
    bound: list[Item] = (
        [a.unless_exhausted("lost_end")]
        if may_goto
        else [add_imm(R7, 1), a.if_greater(R7, TURNS, "lost_end")]
    )
    return a.assemble(
        [
            a.store_imm(R10, _COUNT, 0),
            *_first_bio(hook, layout),
            mov_imm(R7, 0),
            Label("bio"),
            *_open_bio(hook, layout),
            Label("turn"),
            *_forget(may_goto),
            *bound,
            load(R1, R10, _AT),
            load(R2, R10, _END),
            a.Jump(0xAD, R1, R2, 0, "folio"),
            *_next_vec(layout),
            Label("folio"),
            *_record(hook, layout, maps, only),
            Label("next"),
            a.go("turn"),
            Label("bio_done"),
            *_next_bio(hook, layout, bound),
            Label("lost_end"),
            bpf.map_value(R1, maps.lost),
            mov_imm(R2, 1),
            a.atomic_add(R1, R2),
            Label("end"),
            mov_imm(R0, 0),
            bpf.EXIT,
        ]
    )


def _forget(may_goto: bool) -> list[Item]:
    """Have the verifier know nothing of our values, so that all turns of the loop are alike to it.

    Copying the stack onto itself changes nothing, but what a helper wrote is unknown.
    """
    return [
        *([mov_imm(R7, 0)] if may_goto else []),
        *(mov_imm(each, 0) for each in (R6, R8, R9)),
        mov(R3, R10),
        add_imm(R3, _BIO),
        a.slot(R1, _BIO),
        mov_imm(R2, -_BIO),
        call(a.READ_KERNEL),
    ]


def _first_bio(hook: Hook, layout: EventLayout) -> list[Item]:
    if hook is Hook.RQ_COMPLETE:
        return [
            load(R2, R1, 8),
            store(R10, R2, _STATUS),
            load(R2, R1, 16),
            a.op(0xBC, R2, R2),  # w2 = w2: an unsigned int
            store(R10, R2, _BUDGET),
            load(R6, R1, 0),
            *_get(_TEMP, 8, R6, layout.request_bio),
            load(R8, R10, _TEMP),
        ]
    return [
        a.store_imm(R10, _STATUS, 0),
        a.op(0x7A, R10, offset=_BUDGET, value=0x7FFFFFFF),
        load(R8, R1, 8 if hook is Hook.BIO_COMPLETE else 0),
    ]


def _open_bio(hook: Hook, layout: EventLayout) -> list[Item]:
    """Read what is needed of the bio; go to its end if it is none of ours."""
    size = layout.bio_bytes
    copy = _BIO - size
    ours: list[Item] = [
        a.load_int(R1, R10, copy + layout.bio_opf),
        a.and_imm(R1, 0xFF),
        a.if_greater(R1, 1, "bio_done"),
        a.load_half(R2, R10, copy + layout.bio_flags),
        *(
            [a.and_imm(R2, 1 << layout.pinned_flag)]
            if layout.pinned_flag >= 0
            else [mov_imm(R2, 0)]
        ),
        a.if_equal(R1, 1, "wanted"),
        a.if_equal(R2, 0, "bio_done"),
        Label("wanted"),
        load(R1, R10, copy + layout.bio_opf),
        store(R10, R1, _OPF),
    ]
    status: list[Item] = (
        [a.load_byte(R1, R10, copy + layout.bio_status), store(R10, R1, _STATUS)]
        if hook is Hook.BIO_COMPLETE
        else []
    )
    return [
        a.if_equal(R8, 0, "end"),
        *_get(copy, size, R8),
        a.store_imm(R10, _AT, 0),
        a.store_imm(R10, _END, 0),
        a.store_imm(R10, _LEFT, 0),
        *ours,
        *status,
        load(R3, R10, copy + layout.bio_bdev),
        a.store_imm(R10, _DEV, 0),
        *_get(_DEV, 4, R3, layout.bdev_dev),
        load(R1, R10, copy + layout.bio_vecs),
        store(R10, R1, _VECS),
        a.load_int(R1, R10, copy + layout.iter_idx),
        store(R10, R1, _INDEX),
        a.load_int(R1, R10, copy + layout.iter_done),
        store(R10, R1, _DONE),
        a.load_int(R1, R10, copy + layout.iter_size),
        load(R2, R10, _BUDGET),
        a.Jump(0xBD, R1, R2, 0, "whole"),  # if r1 <= r2
        mov(R1, R2),
        Label("whole"),
        store(R10, R1, _LEFT),
        a.subtract(R2, R1),
        store(R10, R2, _BUDGET),
    ]


def _next_vec(layout: EventLayout) -> list[Item]:
    """The next bvec's pages as _AT and _END; go to the end of the bio if there is none."""
    page = layout.page.page_size
    return [
        load(R1, R10, _LEFT),
        a.if_equal(R1, 0, "bio_done"),
        load(R3, R10, _INDEX),
        mov(R4, R3),
        add_imm(R4, 1),
        store(R10, R4, _INDEX),
        bpf.multiply_imm(R3, 16),
        load(R4, R10, _VECS),
        bpf.add(R3, R4),
        *_get(_BVEC, 16, R3),
        a.load_int(R1, R10, _BVEC + layout.vec_len),
        a.load_int(R2, R10, _BVEC + layout.vec_offset),
        load(R3, R10, _DONE),
        a.store_imm(R10, _DONE, 0),
        a.subtract(R1, R3),
        bpf.add(R2, R3),
        load(R4, R10, _LEFT),
        a.Jump(0xBD, R1, R4, 0, "within"),
        mov(R1, R4),
        Label("within"),
        a.subtract(R4, R1),
        store(R10, R4, _LEFT),
        a.if_equal(R1, 0, "bio_done"),
        load(R3, R10, _BVEC + layout.vec_page),
        mov(R4, R2),
        a.divide_imm(R4, PAGE),
        bpf.multiply_imm(R4, page),
        bpf.add(R3, R4),
        store(R10, R3, _AT),
        a.and_imm(R2, PAGE - 1),
        bpf.add(R1, R2),
        add_imm(R1, PAGE - 1),
        a.divide_imm(R1, PAGE),
        bpf.multiply_imm(R1, page),
        bpf.add(R1, R3),
        store(R10, R1, _END),
    ]


def _next_bio(hook: Hook, layout: EventLayout, bound: list[Item]) -> list[Item]:
    if hook is not Hook.RQ_COMPLETE:
        return [a.go("end")]
    return [
        load(R1, R10, _BUDGET),
        a.if_equal(R1, 0, "end"),
        load(R8, R10, _BIO - layout.bio_bytes + layout.bio_next),
        *bound,
        a.go("bio"),
    ]


def _file(layout: EventLayout, only: Filter) -> list[Item]:
    """The folio's file; go on to "skip" if it is none that is recorded."""
    page = layout.page
    items: list[Item] = [
        load(R6, R10, _AT),
        *_get(_TEMP, 8, R6, page.compound_head.offset),
        load(R1, R10, _TEMP),
        a.if_bits(R1, 1, "tail"),
        mov(R1, R6),
        add_imm(R1, 1),
        Label("tail"),
        add_imm(R1, -1),
        store(R10, R1, _HEAD),
        *_get(_TEMP, 8, R1, page.flags.offset),
        load(R1, R10, _TEMP),
        a.shift_right(R1, page.flag_bits["swapbacked"]),
        a.if_bits(R1, 1, "skip"),
        *(_pinned(layout) if only.pinned else []),
        load(R1, R10, _HEAD),
        *_get(_MAPPING, 8, R1, page.mapping.offset),
        *(a.store_imm(R10, place, 0) for place in (_INO, _MODE, _SB_DEV)),
        load(R1, R10, _MAPPING),
        a.if_equal(R1, 0, "orphan"),
        a.if_bits(R1, 3, "skip"),
        *_get(_HOST, 8, R1, layout.mapping_host),
        load(R3, R10, _HOST),
        *_get(_MODE, 2, R3, layout.inode_mode),
        load(R1, R10, _MODE),
        a.and_imm(R1, S_IFMT),
        a.if_not(R1, S_IFREG, "skip"),
        load(R3, R10, _HOST),
        *_get(_INO, 8, R3, layout.inode_ino),
        load(R3, R10, _HOST),
        *_get(_TEMP, 8, R3, layout.inode_sb),
        load(R3, R10, _TEMP),
        *_get(_SB_DEV, 4, R3, layout.sb_dev),
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


def _pinned(layout: EventLayout) -> list[Item]:
    """folio_maybe_dma_pinned(), include/linux/mm.h: go to "skip" if it says no."""
    page = layout.page
    return [
        load(R1, R10, _HEAD),
        a.store_imm(R10, _TEMP, 0),
        *_get(_TEMP, 4, R1, page.refcount.offset),
        load(R1, R10, _TEMP),
        a.if_greater(R1, PIN_BIAS - 1, "pinned"),
        load(R1, R10, _HEAD),
        *_get(_TEMP, 8, R1, page.flags.offset),
        load(R1, R10, _TEMP),
        a.shift_right(R1, page.flag_bits["head"]),
        a.if_bits(R1, 1, "large"),
        a.go("skip"),
        Label("large"),
        load(R1, R10, _HEAD),
        a.store_imm(R10, _TEMP, 0),
        *_get(_TEMP, 4, R1, page.page_size * page.pincount.page + page.pincount.offset),
        load(R1, R10, _TEMP),
        a.if_equal(R1, 0, "skip"),
        Label("pinned"),
    ]


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _after(layout: EventLayout) -> list[Item]:
    """Where the folio of the record ends, or the bvec if that is sooner: the next _AT."""
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
        load(R3, R10, _END),
        a.if_equal(R3, 0, "far"),
        a.if_at_least_register(R3, R2, "far"),
        mov(R2, R3),
        Label("far"),
        load(R1, R10, _AT),
        store(R9, R1, record.AT["page"]),
        store(R10, R2, _AT),
        a.subtract(R2, R1),
        a.divide_imm(R2, page.page_size),
        store(R9, R2, record.AT["pages"]),
    ]


def _record(hook: Hook, layout: EventLayout, maps: Maps, only: Filter) -> list[Item]:
    """Write the record of the folio at _AT, and move _AT behind it."""
    at = record.AT
    from_place = {
        "io": _VECS,
        "opf": _OPF,
        "status": _STATUS,
        "io_dev": _DEV,
        "head": _HEAD,
        "ino": _INO,
        "mode": _MODE,
        "dev": _SB_DEV,
        "count": _COUNT,
    }
    orphan: list[Item] = []
    if hook in (Hook.BIO_COMPLETE, Hook.RQ_COMPLETE, Hook.BIO_QUEUE) and layout.pinned_flag >= 0:
        shift = 8 * (layout.bio_flags - layout.bio_opf) + layout.pinned_flag
        orphan = [load(R1, R10, _OPF), a.shift_right(R1, shift), a.if_bits(R1, 1, "kept")]
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
        load(R1, R10, _AT),
        add_imm(R1, layout.page.page_size),
        store(R10, R1, _AT),
    ]


def _stack(maps: Maps) -> list[Item]:
    """The number of the stack; an error, which is negative, if the map is full."""
    return [
        load(R1, R10, _CONTEXT),
        a.map_fd(R2, maps.stacks),
        mov_imm(R3, 0),
        call(a.GET_STACK_ID),
        store(R9, R0, record.AT["stack"]),
    ]
