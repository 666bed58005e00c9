"""bpf(2) by ctypes and the few instructions we need: no compiler, no library, no headers.

A program here only reads kernel memory into a map of ours. It hangs on no event, and
BPF_PROG_TEST_RUN runs it once, when asked; or `attach` hangs it on a raw tracepoint or, where the
kernel allows that, on a function. It is gone with its descriptors.

Source: include/uapi/linux/bpf.h; the numbers are ABI.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pinlab.field.errors import ReaderError

_libc = ctypes.CDLL(None, use_errno=True)
_NR_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())

_MAP_CREATE, _MAP_LOOKUP, _PROG_LOAD, _PROG_TEST_RUN = 0, 1, 5, 10
_RAW_TRACEPOINT_OPEN, _ENABLE_STATS = 17, 32
_MAP_TYPE_ARRAY, _MAP_TYPE_STACKS, _MAP_TYPE_RINGBUF = 2, 7, 27
_F_MMAPABLE = 1 << 10
_PROG_TYPE_RAW_TRACEPOINT, _PROG_TYPE_TRACING = 17, 26
_TRACE_FENTRY, _TRACE_FEXIT = 24, 25

GET_CURRENT_TASK = 35
PROBE_READ_KERNEL = 113

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


def _instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, src << 4 | dst, offset, value)


def mov(dst: int, src: int) -> bytes:
    """Dst = src"""
    return _instruction(0xBF, dst, src)


def mov_imm(dst: int, value: int) -> bytes:
    """Dst = value"""
    return _instruction(0xB7, dst, value=value)


def add(dst: int, src: int) -> bytes:
    """Dst += src"""
    return _instruction(0x0F, dst, src)


def add_imm(dst: int, value: int) -> bytes:
    """Dst += value"""
    return _instruction(0x07, dst, value=value)


def multiply_imm(dst: int, value: int) -> bytes:
    """Dst *= value"""
    return _instruction(0x27, dst, value=value)


def load(dst: int, src: int, offset: int) -> bytes:
    """Dst = *(u64 *)(src + offset)"""
    return _instruction(0x79, dst, src, offset)


def store(dst: int, src: int, offset: int) -> bytes:
    """*(u64 *)(dst + offset) = src"""
    return _instruction(0x7B, dst, src, offset)


def jump_greater(dst: int, value: int, instructions: int) -> bytes:
    """If dst > value, unsigned, skip so many instructions."""
    return _instruction(0x25, dst, offset=instructions, value=value)


def jump_less(dst: int, src: int, instructions: int) -> bytes:
    """If dst < src, unsigned, skip so many instructions; negative: go back."""
    return _instruction(0xAD, dst, src, instructions)


def call(helper: int) -> bytes:
    """r0 = helper(r1, ..., r5)"""
    return _instruction(0x85, value=helper)


def map_value(dst: int, fd: int, offset: int = 0) -> bytes:
    """Dst = the address of byte `offset` of the first value of an array map"""
    return _instruction(0x18, dst, 2, value=fd) + _instruction(0, value=offset)


EXIT = _instruction(0x95)


def _bpf(command: int, attributes: bytes | bytearray) -> int:
    if _NR_BPF is None:
        raise ReaderError(f"BPF on {platform.machine()} is not known here")
    buffer = (ctypes.c_char * len(attributes)).from_buffer_copy(attributes)
    result = int(_libc.syscall(_NR_BPF, command, buffer, len(attributes)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class ArrayMap:
    """A BPF array of one value that is also memory of ours."""

    def __init__(self, size: int) -> None:
        """`size` in bytes. Raises OSError."""
        attributes = struct.pack("<IIIII", _MAP_TYPE_ARRAY, 4, size, 1, _F_MMAPABLE)
        self.fd = _bpf(_MAP_CREATE, attributes.ljust(72, b"\0"))
        try:
            self.memory = mmap.mmap(self.fd, size)
        except OSError:
            os.close(self.fd)
            raise

    def close(self) -> None:
        """Drop the descriptor; the memory goes with the last view of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def ring_map(size: int) -> int:
    """A ring buffer of `size` bytes, a power of two; its descriptor. Linux 5.8. Raises OSError."""
    return _bpf(
        _MAP_CREATE, struct.pack("<IIIII", _MAP_TYPE_RINGBUF, 0, 0, size, 0).ljust(72, b"\0")
    )


class StackMap:
    """Stacks by number, as `bpf_get_stackid` gives them; a number never changes its meaning."""

    def __init__(self, frames: int, most: int) -> None:
        """Room for `most` stacks of up to `frames` addresses. Raises OSError."""
        self._size = 8 * frames
        attributes = struct.pack("<IIII", _MAP_TYPE_STACKS, 4, self._size, most)
        self.fd = _bpf(_MAP_CREATE, attributes.ljust(72, b"\0"))

    def addresses(self, number: int) -> tuple[int, ...]:
        """The addresses of a stack, innermost first; none if there is no such stack."""
        key = ctypes.c_uint32(number)
        value = ctypes.create_string_buffer(self._size)
        places = ctypes.addressof(key), ctypes.addressof(value)
        try:
            _bpf(_MAP_LOOKUP, struct.pack("<IIQQQ", self.fd, 0, *places, 0))
        except OSError:
            return ()
        return tuple(each for (each,) in struct.iter_unpack("<Q", value.raw) if each)

    def close(self) -> None:
        """Drop the map."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True, slots=True)
class Runs:
    """What programs did since they were loaded."""

    times: int = 0
    nanoseconds: int = 0
    """Both 0 unless the kernel was asked to measure (`measured`)."""
    missed: int = 0
    """Times one should have run and did not, as it was running on that CPU already."""

    def __add__(self, other: Runs) -> Runs:
        return Runs(
            self.times + other.times,
            self.nanoseconds + other.nanoseconds,
            self.missed + other.missed,
        )


def measured() -> int:
    """Have the kernel measure all programs until the descriptor is closed. Raises OSError."""
    return _bpf(_ENABLE_STATS, struct.pack("<I", 0).ljust(16, b"\0"))


def attach(program: Program, tracepoint: str | None = None) -> int:
    """Hang a program on a raw tracepoint, or on the function it was loaded for.

    It hangs there until the descriptor is closed. Raises OSError.
    """
    name = ctypes.create_string_buffer((tracepoint or "").encode())
    address = ctypes.addressof(name) if tracepoint else 0
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("<QI", address, program.fd).ljust(32, b"\0"))


@dataclass(frozen=True, slots=True)
class Target:
    """The function that a program is loaded for."""

    function: int
    """Its type in the kernel's BTF."""
    leaving: bool
    """Run when it returns (fexit), rather than when it is called (fentry)."""


_CONTEXT_WORDS = 4


@dataclass(slots=True)
class _Run:
    """A prepared BPF_PROG_TEST_RUN: the attributes, and the context they point at."""

    attributes: ctypes.Array[ctypes.c_char]
    context: ctypes.Array[ctypes.c_uint64]


class Program:
    """A loaded program that hangs on nothing yet: for a raw tracepoint, or for a function."""

    def __init__(self, code: bytes, target: Target | None = None) -> None:
        """Load it. Raises OSError, whose `strerror` ends in what the verifier said."""
        kind = _PROG_TYPE_TRACING if target else _PROG_TYPE_RAW_TRACEPOINT
        place = 0 if target is None else _TRACE_FEXIT if target.leaving else _TRACE_FENTRY
        instructions = ctypes.create_string_buffer(code, len(code))
        licence = ctypes.create_string_buffer(b"GPL")

        def attributes(log: ctypes.Array[ctypes.c_char] | None) -> bytes:
            return struct.pack(
                "<IIQQIIQII16sII36xII",
                kind,
                len(code) // 8,
                ctypes.addressof(instructions),
                ctypes.addressof(licence),
                1 if log else 0,
                len(log) if log else 0,
                ctypes.addressof(log) if log else 0,
                0,
                0,
                b"pinlab",
                0,
                place,
                target.function if target else 0,
                0,
            ).ljust(144, b"\0")

        try:
            self.fd = _bpf(_PROG_LOAD, attributes(None))
        except OSError as refusal:
            raise OSError(refusal.errno, _why(refusal, attributes)) from None
        self._run = self._prepare()

    def _prepare(self) -> _Run:
        context = (ctypes.c_uint64 * _CONTEXT_WORDS)()
        attributes = struct.pack(
            "<IIIIQQIIIIQQII",
            self.fd,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            ctypes.sizeof(context),
            0,
            ctypes.addressof(context),
            0,
            0,
            0,
        ).ljust(80, b"\0")
        return _Run((ctypes.c_char * len(attributes)).from_buffer_copy(attributes), context)

    def run(self, *context: int) -> int:
        """Run it once with these words as its context; what it returned. Raises OSError."""
        run = self._run
        for i, word in enumerate(context):
            run.context[i] = word
        while True:
            if _libc.syscall(_NR_BPF, _PROG_TEST_RUN, run.attributes, len(run.attributes)) >= 0:
                return int.from_bytes(run.attributes.raw[4:8], "little", signed=True)
            number = ctypes.get_errno()
            if number not in (errno.EINTR, errno.EAGAIN):
                raise OSError(number, os.strerror(number))

    def runs(self) -> Runs:
        """What it did so far, from its fdinfo."""
        with open(f"/proc/self/fdinfo/{self.fd}", encoding="ascii") as lines:
            told = dict(line.split(":", 1) for line in lines if ":" in line)
        names = ("run_cnt", "run_time_ns", "recursion_misses")
        return Runs(*(int(told.get(name, 0)) for name in names))

    def close(self) -> None:
        """Unload it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _why(refusal: OSError, attributes: Callable[[ctypes.Array[ctypes.c_char]], bytes]) -> str:
    """The error's text, and the last thing that the verifier says when it is asked again."""
    log = ctypes.create_string_buffer(1 << 20)
    with suppress(OSError):
        os.close(_bpf(_PROG_LOAD, attributes(log)))
    lines = [line for line in log.value.decode(errors="replace").splitlines() if line]
    said = [line for line in lines if not line.startswith(("processed ", "verification time"))]
    return os.strerror(refusal.errno or 0) + (f" ({said[-1]})" if said else "")
