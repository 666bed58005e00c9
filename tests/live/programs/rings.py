"""What io_uring may keep of a process's memory (include/uapi/linux/io_uring.h)."""

from __future__ import annotations

import array
import ctypes
import mmap
import os
import socket
import struct
import sys
import time

from tests.live.programs import PAGE, SIZE, call, hold, libc, memory

VMSPLICE, SETUP, ENTER, REGISTER = 278, 425, 426, 427
NO_MMAP = 1 << 14
BUFFERS, UNREGISTER, FILES, RING_FDS, PBUF_RING, MEM_REGION = 0, 1, 2, 20, 22, 34
READ_FIXED = 4


def setup(flags: int = 0, rings: int = 0, entries: int = 0) -> tuple[int, bytes]:
    """A ring's descriptor, and what the kernel answered of its parts."""
    parameters = ctypes.create_string_buffer(120)
    struct.pack_into("I", parameters, 8, flags)
    struct.pack_into("Q", parameters, 72, entries)
    struct.pack_into("Q", parameters, 112, rings)
    return call(SETUP, 64, parameters), parameters.raw


def register(ring: int, what: int, data: bytes, count: int) -> None:
    """io_uring_register(2)."""
    call(REGISTER, ring, what, ctypes.create_string_buffer(data) if data else None, count)


def registered() -> tuple[int, bytes, int]:
    """A ring with one buffer: its descriptor, its parts, the buffer's address."""
    _, address = keep()
    ring, parts = setup()
    register(ring, BUFFERS, struct.pack("QQ", address, SIZE), 1)
    return ring, parts, address


KEPT: list[mmap.mmap | socket.socket] = []


def keep(size: int = SIZE) -> tuple[mmap.mmap, int]:
    """Memory that is not given back when nobody speaks of it."""
    made, address = memory(size)
    KEPT.append(made)
    return made, address


def no_mmap() -> int:
    """The rings themselves."""
    setup(NO_MMAP, rings=keep()[1], entries=keep()[1])
    return 2


def provided() -> int:
    """A ring that buffers are provided by."""
    ring, _ = setup()
    register(ring, PBUF_RING, struct.pack("QIHH3Q", keep()[1], SIZE // 16, 7, 0, 0, 0, 0), 1)
    return SIZE // PAGE


def region() -> int:
    """A region for arguments of waiting."""
    ring, _ = setup()
    what = struct.pack("QQIIQ4Q", keep()[1], SIZE, 1, 0, 0, 0, 0, 0, 0)
    described = ctypes.create_string_buffer(what)
    register(ring, MEM_REGION, struct.pack("4Q", ctypes.addressof(described), 0, 0, 0), 1)
    return SIZE // PAGE


def request() -> int:
    """A buffer whose table was unregistered while a read into it waits."""
    ring, parts, address = registered()
    waiting, _ = os.pipe()
    submit(ring, parts, read_fixed(waiting, address, PAGE))
    register(ring, UNREGISTER, b"", 0)
    return SIZE // PAGE


def read_fixed(file: int, address: int, size: int) -> bytes:
    """A request to read into the first registered buffer."""
    return struct.pack("BBHiQQIIQH", READ_FIXED, 0, 0, file, 0, address, size, 0, 1, 0)


def submit(ring: int, parts: bytes, entry: bytes) -> None:
    """Give a fresh ring its first request, and wait until it is begun."""
    offsets = struct.unpack_from("10I", parts, 40)
    queue = mmap.mmap(ring, PAGE, offset=0)
    entries = mmap.mmap(ring, PAGE, offset=0x10000000)
    entries[0:64] = entry.ljust(64, b"\0")
    struct.pack_into("I", queue, offsets[6], 0)
    struct.pack_into("I", queue, offsets[1], 1)
    call(ENTER, ring, 1, 0, 0, None, 0)
    time.sleep(0.1)


def ring_fd() -> int:
    """A buffer of a ring that has no descriptor, but is registered for its task."""
    ring, _, _ = registered()
    register(ring, RING_FDS, struct.pack("IIQ", 0, 0, ring), 1)
    os.close(ring)
    return SIZE // PAGE


def mapped() -> int:
    """A buffer of a ring that only its mapping keeps."""
    ring, _, _ = registered()
    map_only(ring)
    os.close(ring)
    return SIZE // PAGE


def map_only(ring: int) -> None:
    """Map a ring; Python's mmap would keep a descriptor of its own."""
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    if libc.mmap(None, PAGE, mmap.PROT_READ, mmap.MAP_SHARED, ring, 0) in (None, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "mmap")


def full_pipe() -> tuple[int, int]:
    """A pipe of our pages."""
    ends = os.pipe()
    vector = ctypes.create_string_buffer(struct.pack("QQ", keep()[1], SIZE))
    assert call(VMSPLICE, ends[1], vector, 1, 0) == SIZE
    return ends


def in_flight() -> int:
    """A pipe that is in a message nobody has read; a ring cannot be sent (6.7 and newer)."""
    ours, theirs = socket.socketpair()
    ends = full_pipe()
    passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", ends))]
    theirs.sendmsg([b"r"], passed)
    theirs.close()
    KEPT.append(ours)
    for end in ends:
        os.close(end)
    return SIZE // PAGE


def file_table() -> int:
    """A pipe that only a ring's table of registered files keeps."""
    ring, _ = setup()
    ends = full_pipe()
    register(ring, FILES, struct.pack("ii", *ends), 2)
    for end in ends:
        os.close(end)
    return SIZE // PAGE


WAYS = (no_mmap, provided, region, request, ring_fd, mapped, in_flight, file_table)

if __name__ == "__main__":
    hold({each.__name__: each for each in WAYS}[sys.argv[1]]())
