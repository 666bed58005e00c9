"""Where bios are found that are in no request of their own device. Memory made by hand."""

from __future__ import annotations

import pytest

from pinlab.field.holders import bios
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.holders.made import BIO, UBUF_NEW, Disk, ubuf

PINNED = 1
CLONED = 2


def walk(disk: Disk, kind: str = "bio") -> list[Claim]:
    return list(load()[kind].walk(Kernel(disk.image)))


def details(disk: Disk) -> list[str]:
    return [claim.detail for claim in walk(disk)]


BIO_LIST = "struct bio_list { struct bio *head; struct bio *tail; };"
RB_NODE = """
struct rb_node { long parent; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
"""
THROTTLE = """
struct throtl_qnode { struct list_head node; struct bio_list bios; struct throtl_grp *tg; };
struct throtl_service_queue {
    struct throtl_service_queue *parent_sq; struct list_head queued[2];
    struct rb_root_cached pending_tree;
};
struct throtl_data { struct throtl_service_queue service_queue; };
struct throtl_grp { long pd; struct rb_node rb_node; struct throtl_service_queue service_queue; };
"""
THROTTLE_616 = THROTTLE.replace(
    "struct bio_list bios;", "struct bio_list bios_bps; struct bio_list bios_iops;"
)


class Throttled(Disk):
    """A disk whose limits are those of a group inside of a group."""

    def __init__(self, types: str) -> None:
        queue = "struct request_queue { struct throtl_data *td;"
        bio = BIO.replace("struct request_queue {", queue)
        super().__init__(BIO_LIST + RB_NODE + types + bio)
        root = self.image.new("throtl_data")
        self.image.set("request_queue", self.queue, td=root)
        outer = self.group(self.image.where("throtl_data", root, "service_queue"))
        self.inner = self.group(self.image.where("throtl_grp", outer, "service_queue"))

    def group(self, parent: int) -> int:
        """A group that has bios, and so is in its parent's tree."""
        image = self.image
        for number in range(2):
            head = image.where("throtl_service_queue", parent, "queued") + 16 * number
            image.chain(head, [])
        made = image.new("throtl_grp")
        node = image.where("throtl_grp", made, "rb_node")
        image.set("throtl_service_queue", parent, pending_tree__rb_root__rb_node=node)
        return made

    def hold(self, direction: int, **lists: int) -> None:
        """Queue bios at the inner group."""
        image = self.image
        service = image.where("throtl_grp", self.inner, "service_queue")
        fields = {f"{name}__head": bio for name, bio in lists.items()}
        node = image.where("throtl_qnode", image.new("throtl_qnode", **fields), "node")
        queued = image.where("throtl_service_queue", service, "queued")
        for number in range(2):
            image.chain(queued + 16 * number, [node] if number == direction else [])


def test_throttled_bios_of_a_group_in_a_group() -> None:
    disk = Throttled(THROTTLE)
    second = disk.bio([(81, 4096, 0)], bi_flags=PINNED)
    disk.hold(0, bios=disk.bio([(80, 4096, 0)], bi_flags=PINNED, bi_next=second))

    found = walk(disk)

    assert [claim.extents for claim in found] == [Extents([(80, 1, 1)]), Extents([(81, 1, 1)])]
    assert {claim.detail for claim in found} == {"READ on vdz, throttled"}


def test_throttled_bios_are_in_two_lists_since_616() -> None:
    disk = Throttled(THROTTLE_616)
    first, second = (disk.bio([(pfn, 4096, 0)], bi_flags=1, bi_opf=1) for pfn in (80, 81))
    disk.hold(1, bios_bps=first, bios_iops=second)

    assert details(disk) == ["WRITE on vdz, throttled"] * 2


def test_a_list_of_bios_without_end_is_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bios, "LISTED", 64)
    disk = Throttled(THROTTLE)
    bio = disk.bio([(80, 4096, 0)], bi_flags=PINNED)
    disk.image.set("bio", bio, bi_next=bio)
    disk.hold(0, bios=bio)

    kernel = Kernel(disk.image)
    assert [claim.detail for claim in load()["bio"].walk(kernel)] == ["READ on vdz, throttled"]
    assert kernel.races == 1


@pytest.mark.parametrize(
    "table", ["struct xarray hctx_table;", "struct blk_mq_hw_ctx **queue_hw_ctx;"]
)
def test_a_request_that_only_the_scheduler_has(table: str) -> None:
    """Its tags are the scheduler's until it is dispatched."""
    queue = f"struct request_queue {{ void *elevator; unsigned int nr_hw_queues; {table}"
    types = """
    struct xarray { int xa_lock; void *xa_head; };
    struct xa_node { u8 shift; void *slots[64]; };
    struct blk_mq_hw_ctx { long padding; struct blk_mq_tags *sched_tags; };
    """
    disk = Disk(types + BIO.replace("struct request_queue {", queue))
    image = disk.image
    bio = disk.bio([(80, 4096, 0)], bi_flags=PINNED)
    requests = image.pointers([image.new("request", q=disk.queue, ref=1, bio=bio)])
    tags = image.new("blk_mq_tags", nr_tags=1, rqs=image.pointers([0]), static_rqs=requests)
    hctx = image.new("blk_mq_hw_ctx", sched_tags=tags)
    place = {"hctx_table__xa_head": hctx}
    if "xarray" not in table:
        place = {"queue_hw_ctx": image.pointers([hctx])}
    image.set("request_queue", disk.queue, elevator=1, nr_hw_queues=1, **place)

    assert details(disk) == ["READ on vdz"]


def test_bios_that_a_task_has_yet_to_submit() -> None:
    disk = Disk(BIO_LIST + BIO)
    image = disk.image
    lists = image.room(32)
    for number, pfn in enumerate((80, 81)):
        bio = disk.bio([(pfn, 4096, 0)], bi_flags=PINNED)
        image.set("bio_list", lists + 16 * number, head=bio)
    image.process(11, "submits", bio_list=lists)

    assert details(disk) == ["READ on vdz, being submitted"] * 2


DM = """
struct dm_target_io { u16 magic; struct dm_io *io; struct bio clone; };
struct dm_io { u16 magic; struct bio *orig_bio; struct dm_target_io tio; };
struct dm_crypt_io { void *cc; struct bio *base_bio; };
"""
MD = """
struct md_io_clone { void *mddev; struct bio *orig_bio; long start; struct bio bio_clone; };
struct r1bio { int remaining; struct bio *master_bio; };
struct r10bio { long remaining; struct bio *master_bio; };
"""


class Stacked(Disk):
    """A disk with another on top of it."""

    def __init__(self) -> None:
        super().__init__(BIO + DM + MD)
        self.whole = self.bio([(80, 8192, 0)], bi_flags=PINNED)

    def dm(self, above: int) -> int:
        """Clone a bio as dm does."""
        image = self.image
        io = image.new("dm_io", orig_bio=above)
        tio = image.where("dm_io", io, "tio")
        clone = image.where("dm_target_io", tio, "clone")
        image.set("dm_target_io", tio, io=io)
        image.set("bio", clone, bi_flags=CLONED, bi_end_io=image.function("clone_endio"))
        return clone

    def md(self, above: int) -> int:
        """Clone a bio as md does."""
        image = self.image
        made = image.new("md_io_clone", orig_bio=above)
        clone = image.where("md_io_clone", made, "bio_clone")
        image.set("bio", clone, bi_flags=CLONED, bi_end_io=image.function("md_end_clone_io"))
        return clone

    def private(self, end: str, type_name: str, **fields: int) -> int:
        """A clone that knows what it is of by bi_private."""
        owner = self.image.new(type_name, **fields)
        end_io = self.image.function(end)
        return self.bio([(99, 4096, 0)], bi_flags=CLONED, bi_end_io=end_io, bi_private=owner)


@pytest.mark.parametrize(
    "way", ["dm", "crypt", "md", "raid1 read", "raid1 write", "raid10", "raid5", "md on dm"]
)
def test_a_clone_leads_to_the_bio_that_pinned(way: str) -> None:
    disk = Stacked()
    whole = disk.whole
    end5 = disk.image.function("raid5_align_endio")
    clone = {
        "dm": lambda: disk.dm(whole),
        "crypt": lambda: disk.private("crypt_endio", "dm_crypt_io", base_bio=disk.dm(whole)),
        "md": lambda: disk.md(whole),
        "raid1 read": lambda: disk.private("raid1_end_read_request", "r1bio", master_bio=whole),
        "raid1 write": lambda: disk.private(
            "raid1_end_write_request", "r1bio", master_bio=disk.md(whole)
        ),
        "raid10": lambda: disk.private("raid10_end_read_request", "r10bio", master_bio=whole),
        "raid5": lambda: disk.bio(
            [(99, 4096, 0)], bi_flags=CLONED, bi_end_io=end5, bi_private=disk.md(whole)
        ),
        "md on dm": lambda: disk.dm(disk.md(whole)),
    }[way]()
    disk.image.set("request", disk.request, bio=clone)

    (found,) = walk(disk)

    assert found.extents == Extents([(80, 1, 1), (81, 1, 1)])


def test_a_clone_that_is_of_nothing_is_nobodys() -> None:
    disk = Stacked()
    disk.image.set("request", disk.request, bio=disk.dm(0))

    assert walk(disk) == []


def test_bios_that_wait_for_a_suspended_dm_device() -> None:
    """It has no tags; its bios go nowhere until it is resumed."""
    types = "struct block_device_operations { void *submit_bio; };"
    types += "struct mapped_device { long lock; struct bio_list deferred; };"
    disk = Disk(BIO_LIST + types + BIO)
    image = disk.image
    bio = disk.bio([(80, 4096, 0)], bi_flags=PINNED)
    device = image.new("mapped_device", deferred__head=bio)
    operations = image.new("block_device_operations", submit_bio=image.function("dm_submit_bio"))
    image.set("gendisk", disk.gendisk, fops=operations, private_data=device)
    image.set("request_queue", disk.queue, tag_set=0)

    assert details(disk) == ["READ on vdz, suspended"]


TABLES = """
struct hlist_head { void *first; };
struct io_hash_bucket { struct hlist_head list; };
struct io_hash_table { struct io_hash_bucket *hbs; unsigned int hash_bits; };
"""
IO_KIOCB = """
struct io_rw { struct kiocb kiocb; u64 addr; };
struct io_cmd_data { struct file *file; u8 data[56]; };
struct io_kiocb {
    union { struct file *file; struct io_cmd_data cmd; };
    u64 flags; struct io_ring_ctx *ctx; struct io_rsrc_node *buf_node;
};
"""
RING = TABLES + UBUF_NEW.replace(
    "struct user_struct *user;",
    """
    struct user_struct *user; struct list_head tctx_list;
    struct io_hash_table cancel_table;
    """,
)
HAS_NODE = 1 << 36


class Fixed(Disk):
    """A disk asked to read into a registered buffer, whose bio has no pins of its own."""

    def __init__(self) -> None:
        types = BIO.replace("struct file *ki_filp;", "struct file *ki_filp; void *ki_complete;")
        super().__init__(types + IO_KIOCB + RING)
        image = self.image
        self.ring = image.new("io_ring_ctx")
        head = image.where("io_ring_ctx", self.ring, "tctx_list")
        image.chain(head, [])
        buckets = image.new("io_hash_bucket")
        image.set("io_ring_ctx", self.ring, cancel_table__hbs=buckets)
        self.node = image.new("io_rsrc_node", buf=ubuf(image, 0x7000, [(10, 4096, 0)]))
        fields = {"flags": HAS_NODE, "ctx": self.ring, "buf_node": self.node}
        self.io_kiocb = image.new("io_kiocb", **fields)
        dio = image.new("iomap_dio", iocb=self.io_kiocb)
        end = image.function("iomap_dio_bio_end_io")
        bio = self.bio([(10, 4096, 0)], bi_flags=CLONED, bi_end_io=end, bi_private=dio)
        image.set("request", self.request, bio=bio)
        self.completed_by("io_complete_rw")

    def completed_by(self, function: str) -> None:
        self.image.set("kiocb", self.io_kiocb, ki_complete=self.image.function(function))

    def owned(self) -> None:
        """A process has the ring."""
        self.image.process(7, "ring", [self.image.file("io_uring_release", self.ring)])


def test_a_buffer_that_only_direct_io_has() -> None:
    disk = Fixed()
    disk.owned()

    (found,) = walk(disk, "io_uring")

    assert (found.detail, found.owners) == ("buffer of a request", (Owner(7, "ring", 3),))
    assert (found.address, found.extents) == (0x7000, Extents([(10, 1, 1)]))
    assert walk(disk) == []


def test_a_buffer_in_a_table_and_in_direct_io_is_claimed_once() -> None:
    disk = Fixed()
    disk.owned()
    table = disk.image.pointers([disk.node])
    disk.image.set("io_ring_ctx", disk.ring, buf_table__nr=1, buf_table__nodes=table)

    (found,) = walk(disk, "io_uring")

    assert found.detail == "buffer 0"


def test_a_ring_that_only_its_direct_io_keeps_is_walked_whole() -> None:
    """Its process has ended; its table is there until the last request has."""
    disk = Fixed()
    disk.image.function("io_uring_release")
    nodes = [disk.image.new("io_rsrc_node", buf=ubuf(disk.image, 0x9000, [(12, 4096, 0)]))]
    table = disk.image.pointers(nodes)
    disk.image.set("io_ring_ctx", disk.ring, buf_table__nr=1, buf_table__nodes=table)

    first, second = walk(disk, "io_uring")

    assert (first.detail, second.detail) == ("buffer 0", "buffer of a request")
    assert first.owners == second.owners == ()


def test_a_kiocb_of_somebody_else_is_in_no_request_of_a_ring() -> None:
    disk = Fixed()
    disk.owned()
    disk.completed_by("aio_complete_rw")

    assert walk(disk, "io_uring") == []
