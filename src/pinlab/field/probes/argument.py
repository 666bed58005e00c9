"""Programs for tracepoints and functions whose first argument is a folio."""

from __future__ import annotations

from pinlab.field.machine import bpf
from pinlab.field.machine.bpf import (
    R0,
    R1,
    R2,
    R3,
    R6,
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
    CONTEXT,
    COUNT,
    DEV,
    END,
    OPF,
    STATUS,
    VECS,
    Filter,
    Maps,
    record_of,
)
from pinlab.field.probes.hooks import EventLayout, Function, Hook, Success


def of_folio(hook: Hook, layout: EventLayout, maps: Maps, only: Filter) -> bytes:
    """A tracepoint whose first argument is a folio."""
    return _program([], hook, layout, maps, only)


def of_function(function: Function, layout: EventLayout, maps: Maps, only: Filter) -> bytes:
    """A function, on entry or, if its success is to be known, on return."""
    items = _succeeded(function)
    if len(function.parameters) == 3:
        items += [
            load(R2, R6, 8),
            store(R10, R2, COUNT),
            load(R2, R6, 16),
            mov(R3, R2),
            a.and_imm(R3, layout.foll_pin),
            a.if_equal(R3, 0, "end"),
            a.and_imm(R2, layout.foll_write),
            a.if_not(R2, 0, "written"),
            a.store_imm(R10, OPF, 1),  # the holder only reads: a WRITE, as bios call it
            Label("written"),
        ]
    # To the verifier the argument is a pointer to a structure. Copied it is but a number.
    items += [mov(R3, R10), add_imm(R3, AT), a.slot(R1, AT), mov_imm(R2, 8), call(a.READ_KERNEL)]
    return _program(items, function.hook, layout, maps, only)


def _succeeded(function: Function) -> list[Item]:
    """Go to the end unless the function did it, by what it returns behind its arguments."""
    returned = load(R2, R6, 8 * len(function.parameters))
    match function.success:
        case Success.CALLED:
            return []
        case Success.ZERO:
            return [returned, a.op(0xBC, R2, R2), a.if_not(R2, 0, "end")]  # w2 = w2: an int
        case Success.TRUE:
            return [returned, a.and_imm(R2, 0xFF), a.if_equal(R2, 0, "end")]
        case Success.POINTER:
            return [returned, a.if_equal(R2, 0, "end")]


def _program(items: list[Item], hook: Hook, layout: EventLayout, maps: Maps, only: Filter) -> bytes:
    zero = (END, VECS, OPF, STATUS, DEV, COUNT)
    return a.assemble(
        [
            a.op(0x7B, R10, R1, CONTEXT),
            mov(R6, R1),
            load(R2, R6, 0),
            store(R10, R2, AT),
            *(a.store_imm(R10, place, 0) for place in zero),
            *items,
            *record_of(hook, layout, maps, only),
            Label("next"),
            Label("end"),
            mov_imm(R0, 0),
            bpf.EXIT,
        ]
    )
