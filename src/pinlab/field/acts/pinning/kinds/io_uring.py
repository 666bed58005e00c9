"""io_uring registered buffers: pinned from IORING_REGISTER_BUFFERS until the ring is closed.

io_uring/rsrc.c. A long-term pin per page; buffers of large folios keep one pin per folio.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.holders.accounting import Accounted, exempt
from pinlab.field.holders.extents import Extents
from pinlab.field.machine import pagemap
from pinlab.field.machine import syscalls as sys

IORING_REGISTER_BUFFERS: Final = 0
IORING_UNREGISTER_BUFFERS: Final = 1


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Register `pages` with a ring of their own."""
    ring = sys.io_uring_setup(1)
    try:
        sys.io_uring_register(ring, IORING_REGISTER_BUFFERS, pages.address, pages.length)
        counted = (Accounted.VM_PIN,) if exempt() else (Accounted.VM_PIN, Accounted.LOCKED_VM)
        yield held(KIND.name, pages, expected(pages), fd=ring, accounted_in=counted)
        # The close alone would unpin some time later, in a kernel thread.
        sys.io_uring_unregister(ring, IORING_UNREGISTER_BUFFERS)
    finally:
        os.close(ring)


def expected(pages: Buffer) -> Extents:
    """The pins of a registered buffer: one per page, or per folio where the kernel coalesces.

    From 6.12 it does if the buffer has any folio larger than a page, from 6.3 if the buffer is
    one folio (io_sqe_buffer_register).
    """
    frames = pages.frames()
    if not len(frames):
        return Extents()
    runs = pagemap.folio_runs(frames)
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    coalesced = len(runs) < len(frames) and (
        release >= (6, 12) or (release >= (6, 3) and len(runs) == 1)
    )
    if coalesced:
        return Extents((pfn, count, 1) for pfn, count in runs)
    return Extents.of_pages(frames)


KIND = Kind(
    "io_uring",
    "registered buffers of an io_uring",
    (Memory.anon, Memory.memfd, Memory.thp, Memory.hugetlb),
    most=1 << 30,
    most_count=64,
    make=make,
)
