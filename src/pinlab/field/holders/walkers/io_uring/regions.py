"""User memory that io_uring was given for itself: rings, provided-buffer rings, waiting regions.

IORING_SETUP_NO_MMAP, IORING_REGISTER_PBUF_RING and IORING_REGISTER_MEM_REGION; io_uring/memmap.c,
io_uring/kbuf.c. Each page is pinned once (io_pin_pages). The kernel keeps no address of them.
What it allocated itself (IO_REGION_F_USER_PROVIDED is not set) is no user's memory.

6.13 made one `io_mapped_region` of what were arrays of pages before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders import trees
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.rings import Ring
from pinlab.field.memory.view import View

KIND: Final = "io_uring"
PAGES: Final = 1 << 19
"""Of a region; rings and groups have less, and 2 GiB for waiting were odd."""
NO_MMAP: Final = 1 << 14
"""IORING_SETUP_NO_MMAP, include/uapi/linux/io_uring.h."""
BUF_RING: Final = 1
"""IOBL_BUF_RING, io_uring/kbuf.h. 6.12 had its number of pages besides."""


def claims(kernel: Kernel, ring: Ring) -> Iterator[Claim]:
    """One claim per region of a ring that is the user's memory."""
    context = ring.context
    if context.has("ring_region"):
        counted = {view.address for _, view in regions(kernel, context, counted=True)}
        for name, region in regions(kernel, context):
            accounted = ring.locked_vm if region.address in counted else ()
            yield from claim(kernel, ring, name, region, accounted)
        return
    if context.has("ring_pages") and context["flags"] & NO_MMAP:
        for name, count, pages in (
            ("rings", "n_ring_pages", "ring_pages"),
            ("submission queue", "n_sqe_pages", "sqe_pages"),
        ):
            yield from _claim(kernel, ring, name, context[pages], context[count], ())
    for group in _groups(kernel, context):
        if group.has("buf_pages") and not group["flags"] & _of_kernel(kernel):
            array, pages_of = group["buf_pages"], group["buf_nr_pages"]
            yield from _claim(kernel, ring, _name(group), array, pages_of, ())


def regions(kernel: Kernel, context: View, *, counted: bool = False) -> Iterator[tuple[str, View]]:
    """Every io_mapped_region of a ring, the user's or not; `counted`: those that are counted
    against RLIMIT_MEMLOCK."""
    if context.has("ring_region") and (not counted or _counts_all(kernel)):
        yield "rings", context.inside("ring_region")
        yield "submission queue", context.inside("sq_region")
        for group in _groups(kernel, context):
            if group.has("region") and group["flags"] & BUF_RING:
                yield _name(group), group.inside("region")
    if context.has("param_region"):
        yield "waiting region", context.inside("param_region")


def _groups(kernel: Kernel, context: View) -> Iterator[View]:
    """Each io_buffer_list: a group of provided buffers."""
    if context.has("io_bl_xa"):
        for address in trees.xarray(kernel, context.where("io_bl_xa")):
            yield kernel.at("io_buffer_list", address)


def _name(group: View) -> str:
    return f"provided buffers, group {group['bgid']}"


def claim(
    kernel: Kernel, ring: Ring, name: str, region: View, counted: tuple[Accounted, ...]
) -> Iterator[Claim]:
    """The claim on an io_mapped_region; none if its pages are not the user's."""
    provided = kernel.reader.btf.enumerator("IO_REGION_F_USER_PROVIDED") or 2
    if region["flags"] & provided:
        count = region["nr_pages"]
        yield from _claim(kernel, ring, name, region["pages"], count, counted)


def _claim(
    kernel: Kernel, ring: Ring, name: str, array: int, count: int, counted: tuple[Accounted, ...]
) -> Iterator[Claim]:
    if array and count:
        pages = kernel.pfns(kernel.pointers(array, count, PAGES))
        extents = Extents.of_pages(pages)
        yield Claim(KIND, name, ring.owners, extents, accounted_in=counted)


def _counts_all(kernel: Kernel) -> bool:
    """Whether every region is counted against RLIMIT_MEMLOCK; 7.0 left out rings and groups."""
    parameters = kernel.reader.btf.parameters("io_create_region") or ()
    return parameters[:1] == ("struct io_ring_ctx *",)


def _of_kernel(kernel: Kernel) -> int:
    """IOBL_MMAP of 6.12: the group's pages are the kernel's. Before, IOBL had another order."""
    return kernel.reader.btf.enumerator("IOBL_MMAP") or 0
