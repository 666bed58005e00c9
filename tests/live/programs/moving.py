"""Registered buffers whose process has, or has not, the pages any more."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

from tests.live.programs import PAGE, SIZE, hold, libc
from tests.live.programs.rings import BUFFERS, KEPT, keep, register, registered, setup

MAYMOVE = 1


def dropped() -> int:
    """The pages were given back, and others are there."""
    _, _, address = registered()
    (memory,) = KEPT
    assert isinstance(memory, mmap.mmap)
    memory.madvise(mmap.MADV_DONTNEED)
    ctypes.memset(address, 2, SIZE)
    return SIZE // PAGE


def partly() -> int:
    """One page was given back."""
    registered()
    (memory,) = KEPT
    assert isinstance(memory, mmap.mmap)
    memory.madvise(mmap.MADV_DONTNEED, PAGE, PAGE)
    return SIZE // PAGE


def moved() -> int:
    """Mremap."""
    _, _, address = registered()
    libc.mremap.restype = ctypes.c_void_p
    libc.mremap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, ctypes.c_int]
    if libc.mremap(address, SIZE, 64 * SIZE, MAYMOVE) in (address, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "mremap did not move it")
    return SIZE // PAGE


def unmapped() -> int:
    """Munmap."""
    _, _, address = registered()
    if libc.munmap(ctypes.c_void_p(address), SIZE):
        raise OSError(ctypes.get_errno(), "munmap")
    return SIZE // PAGE


def orphaned() -> tuple[int, int]:
    """A parent registered and ended; its child has the ring, and copies of the pages."""
    ours, theirs = os.pipe()
    alive, end = os.pipe()
    parent = os.fork()
    if parent:
        os.close(alive)  # the child reads its end of file when we are killed
        os.waitpid(parent, 0)
        KEPT_ENDS.append(end)
        return SIZE // PAGE, int(os.read(ours, 16))
    os.close(end)
    _, _, address = registered()
    if os.fork():
        os._exit(0)
    ctypes.memset(address, 3, SIZE)
    os.write(theirs, str(os.getpid()).encode())
    os.read(alive, 1)
    os._exit(0)


KEPT_ENDS: list[int] = []


def inherited() -> tuple[int, int]:
    """A child registered its own memory with the ring that its parent, who pays, had set up."""
    ours, theirs = os.pipe()
    alive, end = os.pipe()
    ring, _ = setup()
    child = os.fork()
    if child:
        os.close(alive)
        KEPT_ENDS.append(end)
        os.read(ours, 1)
        return SIZE // PAGE, child
    os.close(end)
    register(ring, BUFFERS, b"".join(n.to_bytes(8, "little") for n in (keep()[1], SIZE)), 1)
    os.write(theirs, b"r")
    os.read(alive, 1)
    os._exit(0)


WAYS = (dropped, partly, moved, unmapped, orphaned, inherited)

if __name__ == "__main__":
    found = {each.__name__: each for each in WAYS}[sys.argv[1]]()
    hold(*(found if isinstance(found, tuple) else (found,)))
