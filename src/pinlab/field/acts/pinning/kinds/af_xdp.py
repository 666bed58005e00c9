"""An AF_XDP umem: pinned from XDP_UMEM_REG until the socket is closed. No traffic is needed.

net/xdp/xdp_umem.c. A long-term pin per page, counted against the user only, and with
CAP_IPC_LOCK nowhere: VmPin stays 0.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.holders.accounting import Accounted, exempt
from pinlab.field.holders.extents import Extents

# linux/if_xdp.h
AF_XDP: Final = 44
SOL_XDP: Final = 283
XDP_UMEM_REG: Final = 4
CHUNK: Final = 4096


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Register `pages` as the umem of a socket of their own."""
    with socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as xdp:
        # struct xdp_umem_reg {u64 addr, len; u32 chunk_size, headroom, flags, tx_metadata_len}
        registration = struct.pack("<QQIIII", pages.address, pages.length, CHUNK, 0, 0, 0)
        xdp.setsockopt(SOL_XDP, XDP_UMEM_REG, registration)
        extents = Extents.of_pages(pages.frames())
        counted = () if exempt() else (Accounted.LOCKED_VM,)
        yield held(KIND.name, pages, extents, fd=xdp.fileno(), accounted_in=counted)


KIND = Kind(
    "af_xdp",
    "the umem of an AF_XDP socket",
    (Memory.anon, Memory.memfd, Memory.thp),
    most=1 << 30,
    most_count=64,
    make=make,
)
