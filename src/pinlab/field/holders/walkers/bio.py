"""Direct I/O in flight: bios with BIO_PAGE_PINNED in the requests of blk-mq queues.

Block devices are the inodes of the "bdev" file system; each queue's tags list the requests it
has. A request's bio may be a part split from the one that pinned (bio_chain), which is then
followed. Who waits is told by what the bio does when it ends. Counted nowhere. Before 6.5 such a
bio took plain references, and the same bit said BIO_NO_PAGE_REF; there nothing is claimed. Devices
without blk-mq (brd, pmem, md and dm themselves) have no requests; what they pass on to is seen
there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

# linux/blk_types.h: the order of enum bio_flags is not in BTF where it is anonymous and unused.
BIO_PAGE_PINNED: Final = 0
BIO_CLONED: Final = 1
DIO_IS_SYNC: Final = 4  # block/fops.c
REQ_OP_MASK: Final = 0xFF
SORTS = {0: "READ", 1: "WRITE"}
QUEUES: Final = 8192
"""The most hardware queues of a device: no more than CPUs (NR_CPUS)."""
TAGS: Final = 10240
"""BLK_MQ_MAX_DEPTH, include/linux/blk-mq.h."""
VECTORS: Final = 256
"""BIO_MAX_VECS, include/linux/bio.h."""
AWAITED: Final = ("submit_bio_wait_endio", "bio_wait_end_io")
"""What completes who waits in submit_bio_wait(); 7.2 has the second."""
CHAIN: Final = 64
"""The most bios that a split bio is followed through, and that a request has."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per bio that pinned. Raises LayoutError if none of this kernel's does."""
    if kernel.reader.btf.enumerator("BIO_NO_PAGE_REF") is not None:
        raise LayoutError("direct I/O of this kernel takes references, not pins (before Linux 6.5)")
    seen: set[int] = set()
    tag_sets: set[int] = set()

    def queue(disk: View) -> Iterator[Claim]:
        bd_queue = disk.follow("bd_queue")
        tag_set = None if bd_queue is None else bd_queue.follow("tag_set")
        if bd_queue is None or tag_set is None or bd_queue.address in tag_sets:
            return
        tag_sets.add(bd_queue.address)
        for request in _requests(kernel, tag_set, bd_queue):
            claims = functools.partial(_claims, kernel, request, seen)
            yield from kernel.each(_bios(request), claims)

    yield from kernel.each(_disks(kernel), queue)


def _disks(kernel: Kernel) -> Iterator[View]:
    """Every block device that has an inode."""
    for name, sb in kernel.super_blocks:
        if name != "bdev":
            continue
        for inode in kernel.entries(sb.where("s_inodes"), "inode", "i_sb_list"):
            yield kernel.structs.entry(inode.address, "bdev_inode", "vfs_inode").inside("bdev")


def _requests(kernel: Kernel, tag_set: View, queue: View) -> Iterator[View]:
    """The requests in use of a queue: of its device's tags and of its scheduler's."""
    count = tag_set["nr_hw_queues"]
    tables = {int(tags) for tags in kernel.pointers(tag_set["tags"], count, QUEUES) if tags}
    tables |= {tag_set["shared_tags"] if tag_set.has("shared_tags") else 0} - {0}
    found: set[int] = set()
    for address in sorted(tables):
        tags = kernel.at("blk_mq_tags", address)
        for path in ("rqs", "static_rqs"):
            found |= set(kernel.pointers(tags[path], tags["nr_tags"], TAGS).tolist())
    for address in sorted(found - {0}):
        request = kernel.at("request", address)
        if request["ref"] and request["bio"] and request["q"] == queue.address:
            yield request


def _bios(request: View) -> Iterator[View]:
    """The bios of a request."""
    bio = request.follow("bio")
    for _ in range(CHAIN):
        if bio is None:
            return
        yield bio
        bio = bio.follow("bi_next")


def _claims(kernel: Kernel, request: View, seen: set[int], bio: View) -> Iterator[Claim]:
    bio = _original(kernel, bio)
    if bio.address in seen or not bio["bi_flags"] >> BIO_PAGE_PINNED & 1:
        return
    rows = kernel.rows(bio["bi_io_vec"], "bio_vec", bio["bi_vcnt"], VECTORS)
    page, length, offset = (
        kernel.column(rows, "bio_vec", path) for path in ("bv_page", "bv_len", "bv_offset")
    )
    inside = offset // np.uint64(PAGE_SIZE)
    end = (offset + length + np.uint64(PAGE_SIZE - 1)) // np.uint64(PAGE_SIZE)
    disk = request.follow("q")
    gendisk = None if disk is None else disk.follow("disk")
    name = "a disk" if gendisk is None else gendisk.text("disk_name")
    sort = SORTS.get(bio["bi_opf"] & REQ_OP_MASK, "request")
    seen.add(bio.address)
    yield Claim(
        WALKER.kind,
        f"{sort} on {name}",
        _owners(kernel, bio),
        Extents.of_spans(kernel.pfns(page) + inside, end - inside),
        length=int(length.sum()),
        seconds=kernel.age(request["start_time_ns"]),
        device=name,
    )


def _original(kernel: Kernel, bio: View) -> View:
    """The bio that a part was split from, which has the pins."""
    for _ in range(CHAIN):
        parent = bio.follow("bi_private", "bio")
        if parent is None or not kernel.is_function(bio["bi_end_io"], "bio_chain_endio"):
            break
        bio = parent
    return bio


def _owners(kernel: Kernel, bio: View) -> tuple[Owner, ...]:
    """The process that waits for a bio, or that has the file it was submitted to."""
    ends, private = bio["bi_end_io"], bio["bi_private"]
    try:
        if kernel.is_function(ends, *AWAITED):
            return _opened(kernel, bio, _waiting(kernel, kernel.at("completion", private)))
        if kernel.is_function(ends, "blkdev_bio_end_io_async"):
            # __blkdev_direct_IO_async: one bio, inside the dio, and no bi_private.
            return _file(kernel, kernel.structs.entry(bio.address, "blkdev_dio", "bio")["iocb"])
        if kernel.is_function(ends, "blkdev_bio_end_io"):
            dio = kernel.at("blkdev_dio", private)
            if dio["flags"] & DIO_IS_SYNC:
                return _opened(kernel, bio, kernel.processes.owner(dio["waiter"]))
            return _file(kernel, dio["iocb"])
        if kernel.is_function(ends, "iomap_dio_bio_end_io"):
            return _file(kernel, kernel.at("iomap_dio", private)["iocb"])
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


def _file(kernel: Kernel, iocb: int) -> tuple[Owner, ...]:
    return kernel.files.owners_of(kernel.at("kiocb", iocb)["ki_filp"]) if iocb else ()


WALKER = Walker(
    "bio", "direct I/O in flight on block devices", walk, needs=("bio", "blk_mq_tags", "request")
)
