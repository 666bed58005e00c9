"""Instructions of BPF with labels, enough for a program with a loop.

Source: Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pinlab.field.machine.bpf import R10

FETCH_TIME, CURRENT_PID, CURRENT_COMM, CURRENT_CPU = 5, 14, 16, 8
GET_STACK_ID, READ_KERNEL = 27, 113
RING_RESERVE, RING_SUBMIT = 131, 132
NO_WAKEUP: Final = 1


@dataclass(frozen=True, slots=True)
class Label:
    """A place in a program."""

    name: str


@dataclass(frozen=True, slots=True)
class Jump:
    """A jump to a label, compared with a number or a register."""

    code: int
    dst: int
    src: int
    value: int
    to: str


Item = bytes | Label | Jump


def op(code: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One instruction."""
    return struct.pack("<BBhi", code, src << 4 | dst, offset, value)


def and_imm(dst: int, value: int) -> bytes:
    """Dst &= value, sign extended"""
    return op(0x57, dst, value=value)


def and_register(dst: int, src: int) -> bytes:
    """`dst &= src`."""
    return op(0x5F, dst, src)


def shift_right(dst: int, bits: int) -> bytes:
    """Dst >>= bits, unsigned"""
    return op(0x77, dst, value=bits)


def shift_left_by(dst: int, src: int) -> bytes:
    """Dst <<= src"""
    return op(0x6F, dst, src)


def divide_imm(dst: int, value: int) -> bytes:
    """Dst /= value, unsigned"""
    return op(0x37, dst, value=value)


def subtract(dst: int, src: int) -> bytes:
    """Dst -= src"""
    return op(0x1F, dst, src)


def load_byte(dst: int, src: int, offset: int) -> bytes:
    """Dst = *(u8 *)(src + offset)"""
    return op(0x71, dst, src, offset)


def load_half(dst: int, src: int, offset: int) -> bytes:
    """Dst = *(u16 *)(src + offset)"""
    return op(0x69, dst, src, offset)


def load_int(dst: int, src: int, offset: int) -> bytes:
    """Dst = *(u32 *)(src + offset)"""
    return op(0x61, dst, src, offset)


def store_imm(dst: int, offset: int, value: int) -> bytes:
    """*(u64 *)(dst + offset) = value"""
    return op(0x7A, dst, offset=offset, value=value)


def atomic_add(dst: int, src: int) -> bytes:
    """*(u64 *)dst += src, atomically"""
    return op(0xDB, dst, src)


def map_fd(dst: int, fd: int) -> bytes:
    """Dst = the map"""
    return op(0x18, dst, 1, value=fd) + op(0)


def slot(dst: int, offset: int) -> bytes:
    """Dst = the address of a place on the stack"""
    return op(0xBF, dst, R10) + op(0x07, dst, value=offset)


def go(to: str) -> Jump:
    """Go to a label."""
    return Jump(0x05, 0, 0, 0, to)


def if_equal(dst: int, value: int, to: str) -> Jump:
    """If dst == value go to a label."""
    return Jump(0x15, dst, 0, value, to)


def if_not(dst: int, value: int, to: str) -> Jump:
    """If dst != value go to a label."""
    return Jump(0x55, dst, 0, value, to)


def if_greater(dst: int, value: int, to: str) -> Jump:
    """If dst > value, unsigned, go to a label."""
    return Jump(0x25, dst, 0, value, to)


def if_less(dst: int, value: int, to: str) -> Jump:
    """If dst < value, unsigned, go to a label."""
    return Jump(0xA5, dst, 0, value, to)


def if_at_least_register(dst: int, src: int, to: str) -> Jump:
    """If dst >= src, unsigned, go to a label."""
    return Jump(0x3D, dst, src, 0, to)


def if_bits(dst: int, mask: int, to: str) -> Jump:
    """If dst & mask go to a label."""
    return Jump(0x45, dst, 0, mask, to)


def unless_exhausted(to: str) -> Jump:
    """Go on, or to a label when a loop has turned eight million times: may_goto, Linux 6.9."""
    return Jump(0xE5, 0, 0, 0, to)


def assemble(items: Iterable[Item]) -> bytes:
    """The program, with every label resolved."""
    listed = list(items)
    labels: dict[str, int] = {}
    at = 0
    for item in listed:
        if isinstance(item, Label):
            if item.name in labels:
                raise ValueError(f"the label {item.name} is twice in a program")
            labels[item.name] = at
        else:
            at += 1 if isinstance(item, Jump) else len(item) // 8
    code = bytearray()
    for item in listed:
        if isinstance(item, Jump):
            distance = labels[item.to] - len(code) // 8 - 1
            code += op(item.code, item.dst, item.src, distance, item.value)
        elif isinstance(item, bytes):
            code += item
    return bytes(code)
