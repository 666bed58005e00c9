"""Rings of asynchronous I/O, which the kernel maps into the process. fs/aio.c."""

from __future__ import annotations

import ctypes
import sys

from tests.live.programs import PAGE, call, hold, libc

IO_SETUP = 206
MAYMOVE, FIXED = 1, 2
ELSEWHERE = 0x600000000000
EVENTS = 1000
HEADER = EVENT = 32
"""Bytes of struct aio_ring, and of struct io_event."""


def setup() -> tuple[int, int]:
    """A ring: where it is, and how many pages it has."""
    address = ctypes.c_ulong()
    call(IO_SETUP, EVENTS, ctypes.byref(address))
    number = ctypes.c_uint.from_address(address.value + 4)
    return address.value, -(-(HEADER + EVENT * number.value) // PAGE)


def ring() -> int:
    """One that nothing is asked of."""
    return setup()[1]


def moved() -> int:
    """One that lies elsewhere now."""
    address, pages = setup()
    libc.mremap.restype = ctypes.c_void_p
    libc.mremap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, ctypes.c_int, ctypes.c_void_p]
    size = pages * PAGE
    if libc.mremap(address, size, size, MAYMOVE | FIXED, ELSEWHERE) != ELSEWHERE:
        raise OSError(ctypes.get_errno(), "mremap")
    return pages


def unmapped() -> int:
    """One that lies nowhere any more."""
    address, pages = setup()
    if libc.munmap(ctypes.c_void_p(address), pages * PAGE):
        raise OSError(ctypes.get_errno(), "munmap")
    return pages


WAYS = (ring, moved, unmapped)

if __name__ == "__main__":
    hold({each.__name__: each for each in WAYS}[sys.argv[1]]())
