"""Programs for tracepoints with a bio or a request: a record of each folio that it is over.

A bio is walked by its bvecs, and a bvec by its folios, in one loop with a bound; what goes beyond
the bound counts as lost.
"""

from __future__ import annotations

from typing import Final

from pinlab.field.machine import bpf
from pinlab.field.machine.bpf import (
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
from pinlab.field.probes import assembler as a
from pinlab.field.probes.assembler import Item, Label
from pinlab.field.probes.folio import (
    AT,
    COUNT,
    DEV,
    END,
    FREE,
    OPF,
    STATUS,
    TEMP,
    VECS,
    Filter,
    Maps,
    get,
    record_of,
)
from pinlab.field.probes.hooks import EventLayout, Hook

TURNS: Final = 400
"""Folios of one bio or request, at most, for a verifier that walks each turn of a loop by itself.

Linux 6.9 knows a loop that it need not walk (`may_goto`), and then there is no such bound.
"""

PAGE: Final = 4096

# Places of its own on the stack: where the walk stands, one bvec, and below all of it the bio.
_INDEX, _DONE, _LEFT, _BUDGET = (FREE - 8 * i for i in range(1, 5))
_BVEC: Final = FREE - 48
_BIO: Final = FREE - 48


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
            a.store_imm(R10, COUNT, 0),
            *_first_bio(hook, layout),
            mov_imm(R7, 0),
            Label("bio"),
            *_open_bio(hook, layout),
            Label("turn"),
            *_forget(may_goto),
            *bound,
            load(R1, R10, AT),
            load(R2, R10, END),
            a.Jump(0xAD, R1, R2, 0, "folio"),
            *_next_vec(layout),
            Label("folio"),
            *record_of(hook, layout, maps, only),
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
            store(R10, R2, STATUS),
            load(R2, R1, 16),
            a.op(0xBC, R2, R2),  # w2 = w2: an unsigned int
            store(R10, R2, _BUDGET),
            load(R6, R1, 0),
            *get(TEMP, 8, R6, layout.request_bio),
            load(R8, R10, TEMP),
        ]
    return [
        a.store_imm(R10, STATUS, 0),
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
        a.if_equal(R1, layout.zone_append, "wanted"),
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
        store(R10, R1, OPF),
    ]
    status: list[Item] = (
        [a.load_byte(R1, R10, copy + layout.bio_status), store(R10, R1, STATUS)]
        if hook is Hook.BIO_COMPLETE
        else []
    )
    return [
        a.if_equal(R8, 0, "end"),
        *get(copy, size, R8),
        a.store_imm(R10, AT, 0),
        a.store_imm(R10, END, 0),
        a.store_imm(R10, _LEFT, 0),
        *ours,
        *status,
        load(R3, R10, copy + layout.bio_bdev),
        a.store_imm(R10, DEV, 0),
        *get(DEV, 4, R3, layout.bdev_dev),
        load(R1, R10, copy + layout.bio_vecs),
        store(R10, R1, VECS),
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
    """The next bvec's pages as AT and END; go to the end of the bio if there is none."""
    page = layout.page.page_size
    return [
        load(R1, R10, _LEFT),
        a.if_equal(R1, 0, "bio_done"),
        load(R3, R10, _INDEX),
        mov(R4, R3),
        add_imm(R4, 1),
        store(R10, R4, _INDEX),
        bpf.multiply_imm(R3, 16),
        load(R4, R10, VECS),
        bpf.add(R3, R4),
        *get(_BVEC, 16, R3),
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
        store(R10, R3, AT),
        a.and_imm(R2, PAGE - 1),
        bpf.add(R1, R2),
        add_imm(R1, PAGE - 1),
        a.divide_imm(R1, PAGE),
        bpf.multiply_imm(R1, page),
        bpf.add(R1, R3),
        store(R10, R1, END),
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
