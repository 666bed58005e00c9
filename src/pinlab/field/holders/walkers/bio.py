"""Direct I/O in flight: bios with BIO_PAGE_PINNED, wherever `bios` finds them.

Who waits is told by what the bio does when it ends. Counted nowhere. Before 6.5 such a bio took
plain references, and the same bit said BIO_NO_PAGE_REF; there nothing is claimed. Devices without
blk-mq (brd, pmem, md and dm themselves) have no requests; what they pass on to is seen there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.holders import bios
from pinlab.field.holders.bios import InFlight
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

# linux/blk_types.h: the order of enum bio_flags is not in BTF where it is anonymous and unused.
BIO_PAGE_PINNED: Final = 0
REQ_OP_MASK: Final = 0xFF
SORTS = {0: "READ", 1: "WRITE"}
VECTORS: Final = 256
"""BIO_MAX_VECS, include/linux/bio.h."""
AWAITED: Final = ("submit_bio_wait_endio", "bio_wait_end_io")
"""What completes who waits in submit_bio_wait(); 7.2 has the second."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per bio that pinned. Raises LayoutError if none of this kernel's does."""
    if kernel.reader.btf.enumerator("BIO_NO_PAGE_REF") is not None:
        raise LayoutError("direct I/O of this kernel takes references, not pins (before Linux 6.5)")
    yield from bios.each(kernel, lambda bio, where: _claims(kernel, bio, where))


def _claims(kernel: Kernel, bio: View, where: InFlight) -> Iterator[Claim]:
    if not bio["bi_flags"] >> BIO_PAGE_PINNED & 1 or not bio["bi_vcnt"]:
        return
    rows = kernel.rows(bio["bi_io_vec"], "bio_vec", bio["bi_vcnt"], VECTORS)
    page, length, offset = (
        kernel.column(rows, "bio_vec", path) for path in ("bv_page", "bv_len", "bv_offset")
    )
    inside = offset // np.uint64(PAGE_SIZE)
    end = (offset + length + np.uint64(PAGE_SIZE - 1)) // np.uint64(PAGE_SIZE)
    yield Claim(
        WALKER.kind,
        _detail(bio, where),
        _owners(kernel, bio),
        Extents.of_spans(kernel.pfns(page) + inside, end - inside),
        length=int(length.sum()),
        seconds=kernel.age(where.since),
        device=_disk(bio),
    )


def _detail(bio: View, where: InFlight) -> str:
    """What the device that the process used is asked for, and where that is if not with it."""
    sort = SORTS.get(bio["bi_opf"] & REQ_OP_MASK, "request")
    return f"{sort} on {_disk(bio) or 'a disk'}" + (f", {where.where}" if where.where else "")


def _disk(bio: View) -> str:
    device = bio.follow("bi_bdev")
    disk = None if device is None else device.follow("bd_disk")
    return "" if disk is None else disk.text("disk_name")


def _owners(kernel: Kernel, bio: View) -> tuple[Owner, ...]:
    """The process that waits for a bio, or that has the file it was submitted to."""
    try:
        if kernel.is_function(bio["bi_end_io"], *AWAITED):
            return _opened(
                kernel, bio, _waiting(kernel, kernel.at("completion", bio["bi_private"]))
            )
        task = bios.waiter(kernel, bio)
        if task:
            return _opened(kernel, bio, kernel.processes.owner(task))
        iocb = bios.iocb(kernel, bio)
        return kernel.files.owners_of(kernel.at("kiocb", iocb)["ki_filp"]) if iocb else ()
    except FaultError:
        kernel.races += 1
    return ()


def _opened(kernel: Kernel, bio: View, owners: tuple[Owner, ...]) -> tuple[Owner, ...]:
    """Who waits, with the descriptors of the block device."""
    disk = bio.follow("bi_bdev")
    if disk is None:
        return owners
    if disk.has("bd_mapping"):  # 6.11 and newer
        return kernel.files.opened(disk["bd_mapping"], owners)
    inode = disk.follow("bd_inode")
    return owners if inode is None else kernel.files.opened(inode["i_mapping"], owners)


def _waiting(kernel: Kernel, completion: View) -> tuple[Owner, ...]:
    heads = completion.where("wait.task_list")
    waiters = kernel.entries(heads, "swait_queue", "task_list")
    return tuple(
        sorted({owner for each in waiters for owner in kernel.processes.owner(each["task"])})
    )


WALKER = Walker(
    "bio", "direct I/O in flight on block devices", walk, needs=("bio", "blk_mq_tags", "request")
)
