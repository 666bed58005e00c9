"""Memory made by hand: buffers of a ring, and requests of a disk."""

from __future__ import annotations

from pinlab.field.holders.claim import Claim
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.image import Image


def walk(image: Image, kind: str) -> list[Claim]:
    return list(load()[kind].walk(Kernel(image)))


UBUF_OLD = """
struct io_mapped_ubuf {
    u64 ubuf; u64 ubuf_end; unsigned int nr_bvecs; unsigned int folio_shift; long acct_pages;
    struct bio_vec bvec[0];
};
struct io_ring_ctx {
    int flags; unsigned int nr_user_bufs; struct io_mapped_ubuf **user_bufs;
    struct user_struct *user; struct mm_struct *mm_account;
};
"""


UBUF_NEW = """
struct io_mapped_ubuf {
    u64 ubuf; unsigned int len; unsigned int nr_bvecs; unsigned int folio_shift; int refs;
    struct bio_vec bvec[0];
};
struct io_rsrc_node {
    u8 type; int refs; u64 tag; union { long file_ptr; struct io_mapped_ubuf *buf; };
};
struct io_rsrc_data { unsigned int nr; struct io_rsrc_node **nodes; };
struct io_ring_ctx {
    int flags; struct io_rsrc_data file_table; struct io_rsrc_data buf_table;
    struct user_struct *user; struct mm_struct *mm_account;
};
"""


def ubuf(image: Image, address: int, vectors: list[tuple[int, int, int]]) -> int:
    length = sum(size for _, size, _ in vectors)
    has_end = image.btf.has("io_mapped_ubuf", "ubuf_end")
    end = {"ubuf_end": address + length} if has_end else {"len": length}
    made = image.new(
        "io_mapped_ubuf", 16 * len(vectors), ubuf=address, nr_bvecs=len(vectors), **end
    )
    image.bvecs(image.where("io_mapped_ubuf", made, "bvec"), vectors)
    return made


BIO = """
struct bvec_iter { u64 bi_sector; };
struct bio {
    struct bio *bi_next; struct block_device *bi_bdev; unsigned int bi_opf; u16 bi_flags;
    void *bi_end_io; void *bi_private; u16 bi_vcnt; struct bio_vec *bi_io_vec;
};
struct gendisk {
    char disk_name[32]; struct block_device_operations *fops; void *private_data;
};
struct request_queue { struct gendisk *disk; struct blk_mq_tag_set *tag_set; };
struct blk_mq_tags { unsigned int nr_tags; struct request **rqs; struct request **static_rqs; };
struct blk_mq_tag_set {
    unsigned int nr_hw_queues; struct blk_mq_tags **tags; struct blk_mq_tags *shared_tags;
};
struct request { struct request_queue *q; struct bio *bio; int ref; u64 start_time_ns; };
struct block_device {
    struct request_queue *bd_queue; struct gendisk *bd_disk; void *bd_mapping;
};
struct bdev_inode { struct block_device bdev; struct inode vfs_inode; };
struct swait_queue { struct task_struct *task; struct list_head task_list; };
struct swait_queue_head { int lock; struct list_head task_list; };
struct completion { int done; struct swait_queue_head wait; };
struct kiocb { struct file *ki_filp; };
struct iomap_dio { struct kiocb *iocb; };
struct blkdev_dio {
    union { struct kiocb *iocb; struct task_struct *waiter; };
    long size; int ref; unsigned int flags; struct bio bio;
};
"""


class Disk:
    """A block device with one request."""

    def __init__(self, types: str = BIO) -> None:
        self.image = image = Image(types)
        self.mapping = 0xABC000
        self.gendisk = gendisk = image.new("gendisk")
        image.poke(gendisk, b"vdz")
        self.queue = queue = image.new("request_queue", disk=gendisk)
        self.request = image.new("request", q=queue, ref=1)
        idle = image.new("request", q=queue, ref=0, bio=0x10)
        requests = image.pointers([idle, self.request])
        tags = image.new("blk_mq_tags", nr_tags=2, rqs=requests, static_rqs=requests)
        tag_set = image.new("blk_mq_tag_set", nr_hw_queues=1, tags=image.pointers([tags]))
        image.set("request_queue", queue, tag_set=tag_set)
        bdev = image.new(
            "bdev_inode",
            bdev__bd_queue=queue,
            bdev__bd_disk=gendisk,
            bdev__bd_mapping=self.mapping,
        )
        self.bdev = bdev
        sb = image.file_system("bdev")
        inode = image.where("bdev_inode", bdev, "vfs_inode")
        image.set("inode", inode, i_sb=sb)
        image.chain(
            image.where("super_block", sb, "s_inodes"), [image.where("inode", inode, "i_sb_list")]
        )
        self.file = image.file("blkdev_release", 0, f_inode=inode, f_mapping=self.mapping)
        self.task = image.process(9, "dd", [self.file])

    def bio(self, vectors: list[tuple[int, int, int]], **fields: int) -> int:
        image = self.image
        bvecs = image.bvecs(image.room(16 * len(vectors)), vectors)
        return image.new("bio", bi_io_vec=bvecs, bi_vcnt=len(vectors), bi_bdev=self.bdev, **fields)


PT_REGS = """
struct pt_regs { long r15; long r10; long di; long orig_ax; long ip; u16 cs; };
"""
