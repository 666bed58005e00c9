"""Bios in flight: in requests of blk-mq queues, and those that are none yet.

Block devices are the inodes of the "bdev" file system. Each queue's tags, and those of its
scheduler, list the requests it has; a request in a task's plug has a tag already
(blk_mq_rq_ctx_init, block/blk-mq.c). A bio that a cgroup's limit holds back is in the queue's
`td` (block/blk-throttle.c), one for a suspended dm device in `mapped_device.deferred`
(drivers/md/dm.c), one that a task is about to submit in its `bio_list` (block/blk-core.c).

A device on top of others (dm, md) has no requests: it sends clones, or parts, below, which lead
to the bio that was given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pinlab.field.errors import FaultError
from pinlab.field.holders import trees
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import Task
from pinlab.field.memory.lists import rbtree
from pinlab.field.memory.view import View

QUEUES: Final = 8192
"""The most hardware queues of a device: no more than CPUs (NR_CPUS)."""
TAGS: Final = 10240
"""BLK_MQ_MAX_DEPTH, include/linux/blk-mq.h."""
LISTED: Final = 1 << 20
"""Bios of a request or a list, beyond which it is no list."""
STACKED: Final = 64
"""The most steps from a bio to the one that it is part of."""
DIO_IS_SYNC: Final = 2
"""block/fops.c, where BTF does not say."""
ABOVE: Final = (
    # What ends the clone, what it is part of (first the structure, then the field; no field:
    # bi_private points to the structure), and the way from there to the bio above.
    (("bio_chain_endio", "raid5_align_endio"), "bio", "", ()),
    (("clone_endio",), "dm_target_io", "clone", ("io", "orig_bio")),
    (("crypt_endio",), "dm_crypt_io", "", ("base_bio",)),
    (("md_end_clone_io",), "md_io_clone", "bio_clone", ("orig_bio",)),
    (("raid1_end_read_request", "raid1_end_write_request"), "r1bio", "", ("master_bio",)),
    (("raid10_end_read_request", "raid10_end_write_request"), "r10bio", "", ("master_bio",)),
)
"""block/bio.c; drivers/md/: raid5.c, dm.c, dm-crypt.c, md.c, raid1.c, raid10.c."""

T = TypeVar("T")
Found = tuple[View, "InFlight"]


@dataclass(frozen=True, slots=True)
class InFlight:
    """Where a bio is."""

    where: str = ""
    """In words; empty: in a request."""
    since: int = 0
    """When the request began, in nanoseconds of CLOCK_MONOTONIC; 0: not known."""


def each(kernel: Kernel, use: Callable[[View, InFlight], Iterable[T]]) -> Iterator[T]:
    """What `use` makes of each bio in flight, and once of that which several are parts of."""
    seen: set[int] = set()
    queues: set[int] = set()

    def of_bio(found: Found) -> Iterator[T]:
        bio = original(kernel, found[0])
        if bio.address not in seen:
            made = list(use(bio, found[1]))
            seen.add(bio.address)
            yield from made

    def of_disk(disk: View) -> Iterator[T]:
        queue = disk.follow("bd_queue")
        if queue is not None and queue.address not in queues:
            queues.add(queue.address)
            for kind in (_requested, _throttled, _deferred):
                yield from kernel.each(kind(kernel, queue), of_bio)

    def of_tasks(tasks: Sequence[Task]) -> Iterator[T]:
        for address in _lists(kernel, tasks):
            yield from kernel.each(_submitted(kernel, address), of_bio)

    yield from kernel.each(_disks(kernel), of_disk)
    yield from kernel.each((kernel.processes.tasks,), of_tasks)


def original(kernel: Kernel, bio: View) -> View:
    """The bio that a part was split from, or a clone made of, and so on: it has the pins."""
    for _ in range(STACKED):
        above = _above(kernel, bio)
        if above is None:
            break
        bio = above
    return bio


def _above(kernel: Kernel, bio: View) -> View | None:
    for ends, type_name, inside, way in ABOVE:
        if kernel.has(type_name) and kernel.is_function(bio["bi_end_io"], *ends):
            if inside:
                found: View | None = kernel.structs.entry(bio.address, type_name, inside)
            else:
                found = bio.follow("bi_private", type_name)
            for pointer in way:
                found = None if found is None else found.follow(pointer)
            return found
    return None


def iocb(kernel: Kernel, bio: View) -> int:
    """The kiocb that a bio of direct I/O is of, as far as it has one; else 0. Raises FaultError."""
    ends = bio["bi_end_io"]
    if kernel.is_function(ends, "blkdev_bio_end_io_async"):
        # __blkdev_direct_IO_async: one bio, inside the dio, and no bi_private.
        return kernel.structs.entry(bio.address, "blkdev_dio", "bio")["iocb"]
    if kernel.is_function(ends, "blkdev_bio_end_io"):
        dio = kernel.at("blkdev_dio", bio["bi_private"])
        return 0 if _is_sync(kernel, dio) else dio["iocb"]
    if kernel.is_function(ends, "iomap_dio_bio_end_io"):
        return kernel.at("iomap_dio", bio["bi_private"])["iocb"]
    return 0


def waiter(kernel: Kernel, bio: View) -> int:
    """The task that waits for a bio of __blkdev_direct_IO(), if one does; else 0.

    Raises FaultError.
    """
    if not kernel.is_function(bio["bi_end_io"], "blkdev_bio_end_io"):
        return 0
    dio = kernel.at("blkdev_dio", bio["bi_private"])
    return dio["waiter"] if _is_sync(kernel, dio) else 0


def _is_sync(kernel: Kernel, dio: View) -> bool:
    return bool(dio["flags"] & (kernel.reader.btf.enumerator("DIO_IS_SYNC") or DIO_IS_SYNC))


def _disks(kernel: Kernel) -> Iterator[View]:
    """Every block device that has an inode."""
    for name, sb in kernel.super_blocks:
        if name != "bdev":
            continue
        for inode in kernel.entries(sb.where("s_inodes"), "inode", "i_sb_list"):
            yield kernel.structs.entry(inode.address, "bdev_inode", "vfs_inode").inside("bdev")


# -- requests -------------------------------------------------------------------------------------


def _requested(kernel: Kernel, queue: View) -> Iterator[Found]:
    """The bios of the requests that a queue has."""
    for address in _requests(kernel, queue):
        request = kernel.at("request", address)
        try:
            if not (request["ref"] and request["bio"] and request["q"] == queue.address):
                continue
            where = InFlight(since=request["start_time_ns"])
        except FaultError:
            kernel.races += 1
            continue
        for bio in kernel.as_far(_chain(request.follow("bio"))):
            yield bio, where


def _requests(kernel: Kernel, queue: View) -> list[int]:
    """Where requests of a queue may be, in use or not."""
    found: set[int] = set()
    for address in sorted(_tags(kernel, queue) - {0}):
        tags = kernel.at("blk_mq_tags", address)
        for path in ("rqs", "static_rqs"):
            found |= set(kernel.pointers(tags[path], tags["nr_tags"], TAGS).tolist())
    return sorted(found - {0})


def _tags(kernel: Kernel, queue: View) -> set[int]:
    """The tables of a device's tags and of its scheduler's."""
    tag_set = queue.follow("tag_set")
    if tag_set is None:
        return set()
    count = tag_set["nr_hw_queues"]
    found: set[int] = set(kernel.pointers(tag_set["tags"], count, QUEUES).tolist())
    if tag_set.has("shared_tags"):
        found.add(tag_set["shared_tags"])
    if queue.has("elevator") and queue["elevator"]:
        found |= {kernel.at("blk_mq_hw_ctx", each)["sched_tags"] for each in _hctx(kernel, queue)}
    return found


def _hctx(kernel: Kernel, queue: View) -> list[int]:
    """The hardware queues: in an xarray, in 7.2 in an array."""
    if queue.has("hctx_table"):
        return list(trees.xarray(kernel, queue.where("hctx_table")))
    found = kernel.pointers(queue["queue_hw_ctx"], queue["nr_hw_queues"], QUEUES)
    return [each for each in found.tolist() if each]


# -- bios that are no requests yet ----------------------------------------------------------------


def _throttled(kernel: Kernel, queue: View) -> Iterator[Found]:
    """What limits of cgroups hold back.

    Each throtl_service_queue has bios, and the groups below that have bios.
    """
    root = queue.follow("td") if queue.has("td") else None
    services = [] if root is None else [root.inside("service_queue")]
    seen: set[int] = set()
    while services:
        service = services.pop()
        if service.address in seen:
            continue
        seen.add(service.address)
        for bio in kernel.as_far(_of_service(kernel, service)):
            yield bio, InFlight("throttled")
        for node in rbtree(kernel.structs, service["pending_tree.rb_root.rb_node"]):
            group = kernel.structs.entry(node, "throtl_grp", "rb_node")
            services.append(group.inside("service_queue"))


def _of_service(kernel: Kernel, service: View) -> Iterator[View]:
    """The bios queued at a group: for READ and for WRITE, by where they came from."""
    size = kernel.structs.size("list_head")
    for number in range(2):
        head = service.where("queued") + number * size
        for node in kernel.entries(head, "throtl_qnode", "node"):
            for path in ("bios_bps", "bios_iops", "bios"):  # 6.16 has two for one
                if node.has(path):
                    yield from _chain(node.inside(path).follow("head"))


def _deferred(kernel: Kernel, queue: View) -> Iterator[Found]:
    """What waits for a suspended dm device: queue_io() in drivers/md/dm.c."""
    if not kernel.has("mapped_device", "deferred"):
        return
    disk = queue.follow("disk")
    operations = None if disk is None else disk.follow("fops")
    if disk is None or operations is None:
        return
    if kernel.is_function(operations["submit_bio"], "dm_submit_bio"):
        device = disk.follow("private_data", "mapped_device")
        if device is not None:
            for bio in _chain(device.inside("deferred").follow("head")):
                yield bio, InFlight("suspended")


def _lists(kernel: Kernel, tasks: Sequence[Task]) -> list[int]:
    """task_struct.bio_list of each task that is in submit_bio()."""
    if not kernel.has("task_struct", "bio_list"):
        return []
    found = kernel.pointers_at((task.address for task in tasks), "task_struct", "bio_list")
    return [each for each in found if each]


def _submitted(kernel: Kernel, address: int) -> Iterator[Found]:
    """What a task has yet to submit: it has two lists, of the device it is at and of others
    (__submit_bio_noacct)."""
    size = kernel.structs.size("bio_list")
    for number in range(2):
        for bio in _chain(kernel.at("bio_list", address + number * size).follow("head")):
            yield bio, InFlight("being submitted")


def _chain(bio: View | None) -> Iterator[View]:
    """A bio and those that follow it. Raises FaultError, also on a list without end."""
    for _ in range(LISTED):
        if bio is None:
            return
        yield bio
        bio = bio.follow("bi_next")
    raise FaultError(0 if bio is None else bio.address, 8)
