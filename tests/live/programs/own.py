"""Pages of the kernel's own that it maps into a process: nobody else's, and held by nobody else."""

from __future__ import annotations

import ctypes
import mmap
import socket
import struct
import sys

from tests.live.programs import PAGE, call, hold

PERF_EVENT_OPEN = 298
SOFTWARE, CPU_CLOCK = 1, 0
SOL_PACKET, RX_RING, TX_RING = 263, 5, 13
KEPT: list[object] = []


def mapped(descriptor: int, pages: int) -> int:
    """Map a buffer and read each of its pages, as some kernels map them only then."""
    made = mmap.mmap(descriptor, pages * PAGE)
    assert len(made[::PAGE]) == pages
    KEPT.append(made)
    return pages


def perf() -> int:
    """The buffer of a perf event: its header, and eight pages. kernel/events/ring_buffer.c."""
    attributes = struct.pack("IIQ", SOFTWARE, 64, CPU_CLOCK).ljust(64, b"\0")
    what = ctypes.create_string_buffer(attributes)
    return mapped(call(PERF_EVENT_OPEN, what, 0, -1, -1, 0), 1 + 8)


def packet() -> int:
    """What packets would be received into and sent from. net/packet/af_packet.c, packet_mmap."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    KEPT.append(made)
    for ring in (RX_RING, TX_RING):
        made.setsockopt(SOL_PACKET, ring, struct.pack("4I", 4 * PAGE, 2, 2048, 16))
    return mapped(made.fileno(), 2 * 2 * 4)


WAYS = (perf, packet)

if __name__ == "__main__":
    hold({each.__name__: each for each in WAYS}[sys.argv[1]]())
