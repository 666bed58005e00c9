"""io_uring fixed buffers: ctx->buf_table (6.13 and newer), ctx->user_bufs (6.12 and older).

io_uring/rsrc.h. Counted in mm->pinned_vm of ctx->mm_account and, for users without
CAP_IPC_LOCK, in user->locked_vm. Rings whose descriptor is closed while a mapping or the table
of registered rings keeps them are not seen, nor are areas of zero-copy receive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import LayoutError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import File
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

BUFFERS: Final = 1 << 14
"""IORING_MAX_REG_BUFFERS, io_uring/rsrc.c."""
VECTORS: Final = (1 << 30) // PAGE_SIZE + 1
"""A buffer has at most 1 GiB (io_buffer_validate), which need not begin at a page."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per registered buffer; one that rings share (cloned) is claimed once."""
    seen: set[int] = set()

    def ring(file: File) -> Iterator[Claim]:
        context = kernel.at("io_ring_ctx", file.private)
        for index, buffer in _buffers(kernel, context):
            if buffer.address not in seen and buffer["nr_bvecs"]:
                claim = _claim(kernel, context, index, buffer, file)
                seen.add(buffer.address)
                yield claim

    yield from kernel.each(kernel.processes.released_by("io_uring_release"), ring)


def _buffers(kernel: Kernel, context: View) -> Iterator[tuple[int, View]]:
    """The io_mapped_ubuf of each used slot."""
    if context.has("buf_table"):
        table = context.inside("buf_table")
        nodes = kernel.pointers(table["nodes"], table["nr"], BUFFERS)
        kernel.same(table, "nodes", "nr")
        for index in np.flatnonzero(nodes).tolist():
            buffer = kernel.at("io_rsrc_node", int(nodes[index])).follow("buf")
            if buffer is not None:
                yield index, buffer
    elif context.has("user_bufs"):
        slots = kernel.pointers(context["user_bufs"], context["nr_user_bufs"], BUFFERS)
        for index in np.flatnonzero(slots).tolist():
            yield index, kernel.at("io_mapped_ubuf", int(slots[index]))
    else:
        raise LayoutError("this kernel's io_ring_ctx has neither buf_table nor user_bufs")


def _claim(kernel: Kernel, context: View, index: int, buffer: View, file: File) -> Claim:
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
    extents = Extents.of_arrays(kernel.pfns(page) + inside, end - inside, np.ones(count))
    address, size = _range(buffer)
    counted = []
    if context["mm_account"]:
        counted.append(Accounted.VM_PIN)
    if context["user"]:
        counted.append(Accounted.LOCKED_VM)
    return Claim(
        WALKER.kind,
        f"buffer {index}",
        file.owners,
        extents,
        address=address,
        length=size,
        accounted_in=tuple(counted),
    )


def _range(buffer: View) -> tuple[int, int]:
    if buffer.has("len"):
        return buffer["ubuf"], buffer["len"]
    return buffer["ubuf"], buffer["ubuf_end"] - buffer["ubuf"]


WALKER = Walker(
    "io_uring", "registered buffers", walk, needs=("io_ring_ctx", "io_mapped_ubuf", "bio_vec")
)
