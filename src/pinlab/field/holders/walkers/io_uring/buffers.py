"""Registered buffers: in the tables of rings, and of requests that have outlived them.

ctx->buf_table (6.13 and newer), ctx->user_bufs (6.12 and older); io_uring/rsrc.h. Counted in
mm->pinned_vm of ctx->mm_account and, for users without CAP_IPC_LOCK, in user->locked_vm. A buffer
that the kernel lent to a ring (ublk) is of a block request and no pin of anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import LayoutError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import ENDED, Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.walkers.io_uring import requests
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

KIND: Final = "io_uring"
OF_REQUEST: Final = "buffer of a request"
BUFFERS: Final = 1 << 14
"""IORING_MAX_REG_BUFFERS, io_uring/rsrc.c."""
VECTORS: Final = (1 << 30) // PAGE_SIZE + 1
"""A buffer has at most 1 GiB (io_buffer_validate), which need not begin at a page."""
LENT: Final = 1
"""IO_REGBUF_F_KBUF, io_uring/rsrc.h."""


def claims(kernel: Kernel, ring: Ring, seen: set[int]) -> Iterator[Claim]:
    """One claim per buffer that is not among `seen`, which it then is."""
    for name, buffer in registered(kernel, ring.context):
        yield from _once(kernel, ring, name, buffer, seen)


def claims_of(kernel: Kernel, ring: Ring, request: View, seen: set[int]) -> Iterator[Claim]:
    """A claim on the buffer of a request, likewise."""
    buffer = requests.of_request(kernel, request)
    if buffer is not None:
        yield from _once(kernel, ring, OF_REQUEST, buffer, seen)


def _once(kernel: Kernel, ring: Ring, name: str, buffer: View, seen: set[int]) -> Iterator[Claim]:
    if buffer.address not in seen and buffer["nr_bvecs"] and not lent(buffer):
        claim = _claim(kernel, ring, name, buffer)
        seen.add(buffer.address)
        yield claim


def registered(kernel: Kernel, context: View) -> Iterator[tuple[str, View]]:
    """The io_mapped_ubuf of each used slot, then those that only requests have."""
    if context.has("buf_table"):
        table = context.inside("buf_table")
        nodes = kernel.pointers(table["nodes"], table["nr"], BUFFERS)
        kernel.same(table, "nodes", "nr")
        for index in np.flatnonzero(nodes).tolist():
            buffer = kernel.at("io_rsrc_node", int(nodes[index])).follow("buf")
            if buffer is not None:
                yield f"buffer {index}", buffer
        for buffer in requests.buffers(kernel, context):
            yield OF_REQUEST, buffer
    elif context.has("user_bufs"):
        slots = kernel.pointers(context["user_bufs"], context["nr_user_bufs"], BUFFERS)
        for index in np.flatnonzero(slots).tolist():
            yield f"buffer {index}", kernel.at("io_mapped_ubuf", int(slots[index]))
    else:
        raise LayoutError("this kernel's io_ring_ctx has neither buf_table nor user_bufs")


def lent(buffer: View) -> bool:
    """Whether the kernel lent it to the ring (io_buffer_register_bvec, 6.15 and newer)."""
    if buffer.has("is_kbuf"):
        return bool(buffer["is_kbuf"])
    return buffer.has("flags") and bool(buffer["flags"] & LENT)


def extents_of(kernel: Kernel, buffer: View) -> Extents:
    """The pages of a buffer, one extent per bvec: of one folio each. Raises FaultError."""
    count = buffer["nr_bvecs"]
    rows = kernel.rows(buffer.where("bvec"), "bio_vec", count, VECTORS)
    kernel.same(buffer, "ubuf", "nr_bvecs")
    page, length, offset = (
        kernel.column(rows, "bio_vec", path) for path in ("bv_page", "bv_len", "bv_offset")
    )
    # A bvec of a coalesced buffer is part of one folio, on which one pin is kept. It lies from
    # bv_offset into bv_page, which may be more than a page into it.
    inside = offset // np.uint64(PAGE_SIZE)
    end = (offset + length + np.uint64(PAGE_SIZE - 1)) // np.uint64(PAGE_SIZE)
    return Extents.of_arrays(kernel.pfns(page) + inside, end - inside, np.ones(count))


def _claim(kernel: Kernel, ring: Ring, name: str, buffer: View) -> Claim:
    address, size = _range(buffer)
    pinned = (Accounted.VM_PIN,) if ring.context["mm_account"] else ()
    return Claim(
        KIND,
        name,
        ring.owners,
        extents_of(kernel, buffer),
        address=address,
        length=size,
        accounted_in=(*pinned, *ring.locked_vm),
        payer=payer(kernel, ring) if pinned else None,
    )


def payer(kernel: Kernel, ring: Ring) -> int | None:
    """The process whose VmPin a ring counts in, the one that set it up: `ENDED` if it has; None if
    it cannot be told."""
    memory = ring.context.follow("mm_account")
    if memory is None or not memory.has("owner"):  # CONFIG_MEMCG
        return None
    task = memory.follow("owner")
    return ENDED if task is None else task["tgid"]


def _range(buffer: View) -> tuple[int, int]:
    if buffer.has("len"):
        return buffer["ubuf"], buffer["len"]
    return buffer["ubuf"], buffer["ubuf_end"] - buffer["ubuf"]
