"""Each walker over memory made by hand: old and new layouts, sharing, races. No privileges."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from pinlab.field.errors import LayoutError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from pinlab.field.memory.singly import read_singly
from tests.field.image import Image, page


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
UBUF_612 = UBUF_OLD.replace("u64 ubuf_end;", "unsigned int len;")
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


@pytest.mark.parametrize(
    "declarations", [UBUF_OLD, UBUF_612, UBUF_NEW], ids=["6.1", "6.12", "6.13 and newer"]
)
def test_io_uring(declarations: str) -> None:
    image = Image(declarations)
    new = declarations is UBUF_NEW
    small = ubuf(image, 0x7000, [(10, 4096, 0), (12, 4096, 0)])
    huge = ubuf(image, 0x200000, [(512, 2 << 20, 0)])
    if new:
        nodes = [image.new("io_rsrc_node", buf=buffer) for buffer in (small, huge)]
        table = image.pointers([nodes[0], 0, nodes[1]])
        fields = {"buf_table__nr": 3, "buf_table__nodes": table}
    else:
        fields = {"nr_user_bufs": 3, "user_bufs": image.pointers([small, 0, huge])}
    ring = image.new("io_ring_ctx", user=0, mm_account=1, **fields)
    file = image.file("io_uring_release", ring)
    image.process(7, "first", [file])
    image.process(8, "second", [file])

    first, second = walk(image, "io_uring")

    assert first.owners == (Owner(7, "first", 3), Owner(8, "second", 3))
    assert (first.address, first.length, first.detail) == (0x7000, 8192, "buffer 0")
    assert first.extents == Extents([(10, 1, 1), (12, 1, 1)])
    assert first.accounted_in == (Accounted.VM_PIN,)
    assert second.extents == Extents([(512, 512, 1)])
    assert (second.address, second.length, second.detail) == (0x200000, 2 << 20, "buffer 2")


def test_io_uring_counts_a_cloned_buffer_once() -> None:
    image = Image(UBUF_NEW)
    shared = ubuf(image, 0x7000, [(10, 4096, 0)])
    rings = []
    for _ in range(2):
        node = image.new("io_rsrc_node", buf=shared)
        table = {"buf_table__nr": 1, "buf_table__nodes": image.pointers([node])}
        rings.append(image.file("io_uring_release", image.new("io_ring_ctx", user=1, **table)))
    image.process(7, "rings", rings)

    (found,) = walk(image, "io_uring")

    assert found.extents.total == 1
    assert found.accounted_in == (Accounted.LOCKED_VM,)


@pytest.mark.parametrize("field", ["bool is_kbuf;", "u8 flags;"], ids=["6.15", "7.2"])
def test_io_uring_claims_no_buffer_that_the_kernel_lent(field: str) -> None:
    """Ublk lends the pages of a block request: io_uring has no pin on them."""
    image = Image(UBUF_NEW.replace("int refs;\n", f"int refs; {field}\n", 1))
    lent = ubuf(image, 0, [(10, 4096, 0)])
    image.set("io_mapped_ubuf", lent, **{field.split()[1].rstrip(";"): 1})
    node = image.new("io_rsrc_node", buf=lent)
    table = {"buf_table__nr": 1, "buf_table__nodes": image.pointers([node])}
    image.process(7, "ring", [image.file("io_uring_release", image.new("io_ring_ctx", **table))])

    assert walk(image, "io_uring") == []


XARRAY = """
struct xarray { int xa_lock; void *xa_head; };
struct xa_node { u8 shift; void *slots[64]; };
"""
REGIONS = (
    XARRAY
    + """
struct io_mapped_region { struct page **pages; unsigned int nr_pages; unsigned int flags; };
struct io_buffer_list { u16 bgid; u16 flags; struct io_mapped_region region; };
"""
    + UBUF_NEW.replace(
        "struct io_rsrc_data file_table;",
        "struct io_rsrc_data file_table; struct xarray io_bl_xa; struct io_mapped_region sq_region;"
        "struct io_mapped_region ring_region; struct io_mapped_region param_region;",
    )
)
USER_PROVIDED = 2


def test_io_uring_claims_memory_that_rings_were_given() -> None:
    image = Image(REGIONS)
    group = image.new(
        "io_buffer_list",
        bgid=7,
        flags=1,
        region__pages=image.pointers([page(20), page(21)]),
        region__nr_pages=2,
        region__flags=USER_PROVIDED,
    )
    ring = image.new(
        "io_ring_ctx",
        user=1,
        io_bl_xa__xa_head=group,
        ring_region__pages=image.pointers([page(10)]),
        ring_region__nr_pages=1,
        ring_region__flags=USER_PROVIDED,
        sq_region__pages=image.pointers([page(11)]),  # the kernel's own
        sq_region__nr_pages=1,
        param_region__pages=image.pointers([page(30)]),
        param_region__nr_pages=1,
        param_region__flags=USER_PROVIDED,
    )
    image.process(7, "ring", [image.file("io_uring_release", ring)])

    found = walk(image, "io_uring")

    assert {claim.detail: claim.extents for claim in found} == {
        "rings": Extents([(10, 1, 1)]),
        "waiting region": Extents([(30, 1, 1)]),
        "provided buffers, group 7": Extents([(20, 1, 1), (21, 1, 1)]),
    }
    counted = {claim.detail: claim.accounted_in for claim in found}
    assert counted["waiting region"] == (Accounted.LOCKED_VM,)
    assert counted["rings"] == ()  # where io_create_region() does not take the ring: 7.0


ZCRX = (
    REGIONS.replace("struct io_ring_ctx {", "struct io_ring_ctx { struct xarray zcrx_ctxs;")
    + """
struct io_zcrx_mem { unsigned long size; struct page **pages; unsigned long nr_folios; };
struct io_zcrx_area { u16 area_id; struct io_zcrx_mem mem; };
struct io_zcrx_ifq { struct io_zcrx_area *area; struct io_mapped_region region; };
"""
)


@pytest.mark.parametrize("pages", [[10, 11], []], ids=["pages", "dma-buf"])
def test_io_uring_claims_areas_of_zero_copy_receive(pages: list[int]) -> None:
    image = Image(ZCRX)
    memory = {"mem__pages": image.pointers(map(page, pages)), "mem__nr_folios": len(pages)}
    area = image.new("io_zcrx_area", area_id=3, mem__size=8192, **(memory if pages else {}))
    queue = image.new(
        "io_zcrx_ifq",
        area=area,
        region__pages=image.pointers([page(20)]),
        region__nr_pages=1,
        region__flags=USER_PROVIDED,
    )
    ring = image.new("io_ring_ctx", user=1, mm_account=1, zcrx_ctxs__xa_head=queue)
    image.process(7, "ring", [image.file("io_uring_release", ring)])

    found = {claim.detail: claim for claim in walk(image, "io_uring")}

    assert found.pop("zero-copy receive queue").extents == Extents([(20, 1, 1)])
    if not pages:
        assert not found
        return
    (claim,) = found.values()
    assert claim.detail == "zero-copy receive, area 3"
    assert claim.extents == Extents([(10, 1, 1), (11, 1, 1)])
    assert claim.accounted_in == (Accounted.VM_PIN, Accounted.LOCKED_VM)


REGIONS_612 = (
    XARRAY
    + "struct io_buffer_list { struct page **buf_pages; u16 bgid; u16 buf_nr_pages; u16 flags; };"
    + UBUF_612.replace(
        "int flags;",
        "int flags; struct xarray io_bl_xa; u16 n_ring_pages; u16 n_sqe_pages;"
        "struct page **ring_pages; struct page **sqe_pages;",
    )
)


@pytest.mark.parametrize("given", [True, False])
def test_io_uring_of_612_has_arrays_of_pages(given: bool) -> None:
    image = Image(REGIONS_612)
    group = image.new(
        "io_buffer_list", bgid=3, buf_pages=image.pointers([page(20)]), buf_nr_pages=1
    )
    ring = image.new(
        "io_ring_ctx",
        flags=(1 << 14) * given,
        io_bl_xa__xa_head=group,
        n_ring_pages=1,
        ring_pages=image.pointers([page(10)]),
    )
    image.process(7, "ring", [image.file("io_uring_release", ring)])

    names = [claim.detail for claim in walk(image, "io_uring")]

    assert names == ["rings"] * given + ["provided buffers, group 3"]


TASKS = (
    REGIONS
    + """
struct io_tctx_node { struct task_struct *task; struct io_ring_ctx *ctx; };
struct io_uring_task { struct xarray xa; };
"""
)


def test_io_uring_finds_a_ring_without_a_descriptor() -> None:
    """A registered ring, or one that only its mapping keeps: the task that used it has it."""
    image = Image(TASKS)
    node = image.new("io_rsrc_node", buf=ubuf(image, 0x7000, [(10, 4096, 0)]))
    table = {"buf_table__nr": 1, "buf_table__nodes": image.pointers([node])}
    ring = image.new("io_ring_ctx", **table)
    image.function("io_uring_release")
    used = image.new("io_uring_task", xa__xa_head=image.new("io_tctx_node", ctx=ring))
    image.process(7, "ring", io_uring=used)

    (found,) = walk(image, "io_uring")

    assert found.owners == (Owner(7, "ring", by="a ring without descriptor"),)


def test_io_uring_starts_inside_a_folio() -> None:
    """A coalesced buffer may begin some pages into its folio: bv_offset is then beyond a page."""
    image = Image(UBUF_NEW)
    buffer = ubuf(image, 0x205000, [(512, 3 * 4096, 5 * 4096)])
    node = image.new("io_rsrc_node", buf=buffer)
    table = {"buf_table__nr": 1, "buf_table__nodes": image.pointers([node])}
    image.process(7, "ring", [image.file("io_uring_release", image.new("io_ring_ctx", **table))])

    (found,) = walk(image, "io_uring")

    assert found.extents == Extents([(517, 3, 1)])


def test_io_uring_of_no_known_shape_is_refused() -> None:
    image = Image("struct io_ring_ctx { int flags; };")
    image.process(7, "ring", [image.file("io_uring_release", image.new("io_ring_ctx"))])

    with pytest.raises(LayoutError, match="neither buf_table nor user_bufs"):
        walk(image, "io_uring")


def test_what_is_gone_is_a_race_and_the_walk_goes_on() -> None:
    image = Image(UBUF_NEW)
    good = ubuf(image, 0x7000, [(10, 4096, 0)])
    node = image.new("io_rsrc_node", buf=good)
    table = {"buf_table__nr": 1, "buf_table__nodes": image.pointers([node])}
    gone = image.file("io_uring_release", 0xFFFFC90000000000)
    ring = image.file("io_uring_release", image.new("io_ring_ctx", **table))
    image.process(7, "ring", [gone, 0xFFFF8880FFFF0000, ring])
    kernel = Kernel(image)

    found = list(load()["io_uring"].walk(kernel))

    assert [each.owners for each in found] == [(Owner(7, "ring", 5),)]
    assert kernel.races == 2


def test_a_kernel_whose_symbols_lack_the_function_says_so() -> None:
    image = Image(UBUF_NEW)
    image.process(7, "nothing")

    with pytest.raises(LayoutError, match="io_uring_release"):
        walk(image, "io_uring")


XDP = """
struct sock_common { u16 skc_family; };
struct sock { struct sock_common __sk_common; };
struct socket { short type; struct sock *sk; };
struct xdp_umem {
    void *addrs; u64 size; u32 npgs; struct user_struct *user; struct page **pgs; int id;
};
struct xdp_sock { struct sock sk; struct xdp_umem *umem; };
"""


def test_af_xdp_shared_by_two_sockets_is_claimed_once() -> None:
    image = Image(XDP)
    pages = image.pointers(page(pfn) for pfn in (40, 41, 42))
    umem = image.new("xdp_umem", size=3 * 4096, npgs=3, user=1, pgs=pages, id=5)
    sockets = []
    for family in (44, 44, 2):
        sk = image.new("xdp_sock", umem=umem)
        image.poke(sk, family.to_bytes(2, "little"))
        sockets.append(image.file("sock_close", image.new("socket", sk=sk)))
    image.process(7, "xdp", sockets)

    (found,) = walk(image, "af_xdp")

    assert found.extents == Extents([(40, 1, 1), (41, 1, 1), (42, 1, 1)])
    assert found.owners == (Owner(7, "xdp", 3),)
    assert (found.address, found.length, found.detail) == (None, 3 * 4096, "umem 5")
    assert found.accounted_in == (Accounted.LOCKED_VM,)


PIPE = """
struct pipe_buf_operations { void *confirm; void *release; void *try_steal; };
struct pipe_buffer {
    struct page *page; unsigned int offset; unsigned int len; struct pipe_buf_operations *ops;
    unsigned int flags; long private;
};
struct pipe_inode_info {
    unsigned int head; unsigned int tail; unsigned int ring_size; struct pipe_buffer *bufs;
};
"""


def test_pipe_tells_users_pages_from_its_own() -> None:
    image = Image(PIPE)
    operations = {
        name: image.new("pipe_buf_operations", try_steal=image.function(name))
        for name in ("user_page_pipe_buf_try_steal", "page_cache_pipe_buf_try_steal", "anon_steal")
    }
    size = image.btf.size("pipe_buffer")
    bufs = image.room(4 * size)
    # Slot 0 was read; the ring has gone round: head 5, tail 1.
    kinds = ["page_cache_pipe_buf_try_steal", "user_page_pipe_buf_try_steal", "anon_steal"]
    for slot, (pfn, kind) in enumerate(zip((64, 61, 62), kinds, strict=True)):
        image.set("pipe_buffer", bufs + slot * size, page=page(pfn), ops=operations[kind])
    image.set(
        "pipe_buffer",
        bufs + 3 * size,
        page=page(63),
        ops=operations["user_page_pipe_buf_try_steal"],
    )
    pipe = image.new("pipe_inode_info", head=5, tail=1, ring_size=4, bufs=bufs)
    pipefs = image.new("super_block", s_dev=14)
    inode = image.new("inode", i_sb=pipefs, i_ino=4711)
    ends = [image.file("pipe_release", pipe, f_inode=inode) for _ in range(2)]
    image.process(7, "pipes", ends)

    spliced = {each.detail: each for each in walk(image, "pipe")}

    assert spliced["vmsplice"].extents == Extents([(61, 1, 1), (63, 1, 1)])
    assert spliced["splice"].extents == Extents([(64, 1, 1)])
    assert {each.inode for each in spliced.values()} == {inode}
    assert all(each.references for each in spliced.values())
    assert spliced["vmsplice"].owners == (Owner(7, "pipes", 3), Owner(7, "pipes", 4))


class Counted(Image):
    """An image that counts how often it is asked, many places at once as one."""

    calls = 0

    def read(self, address: int, size: int) -> bytes:
        self.calls += 1
        return super().read(address, size)

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        self.calls += 1
        return read_singly(super().read, addresses, size)


def with_pipes(count: int, pages: int) -> Counted:
    """`count` pipes of one process, each with so many pages that vmsplice put there."""
    image = Counted(PIPE)
    stealer = image.function("user_page_pipe_buf_try_steal")
    operations = image.new("pipe_buf_operations", try_steal=stealer)
    pipefs = image.new("super_block", s_dev=14)
    size = image.btf.size("pipe_buffer")
    files = []
    for number in range(count):
        bufs = image.room(4 * size)
        for slot in range(pages):
            at = bufs + slot * size
            image.set("pipe_buffer", at, page=page(64 + 4 * number + slot), ops=operations)
        pipe = image.new("pipe_inode_info", head=pages, ring_size=4, bufs=bufs)
        inode = image.new("inode", i_sb=pipefs, i_ino=number)
        files.append(image.file("pipe_release", pipe, f_inode=inode))
    image.process(7, "pipes", files)
    return image


def test_empty_pipes_cost_no_reads_each() -> None:
    few, many = with_pipes(10, pages=0), with_pipes(500, pages=0)

    assert walk(few, "pipe") == walk(many, "pipe") == []
    assert many.calls == few.calls


def test_of_a_pipe_that_holds_pages_only_its_inode_is_read_apart() -> None:
    empty, full = with_pipes(300, pages=0), with_pipes(300, pages=3)

    assert walk(empty, "pipe") == []
    assert [each.extents.total for each in walk(full, "pipe")] == [3] * 300
    assert full.calls - empty.calls <= 3 * 300 + 4


def test_what_is_no_pipe_any_more_costs_no_other_pipe() -> None:
    image = with_pipes(3, pages=1)
    size = image.btf.size("pipe_buffer")
    stealer = image.function("user_page_pipe_buf_try_steal")
    operations = image.new("pipe_buf_operations", try_steal=stealer)
    bad = [
        image.new("pipe_inode_info", head=1, ring_size=3, bufs=1),
        image.new("pipe_inode_info", head=9, ring_size=4, bufs=1),
        image.new("pipe_inode_info", head=1, ring_size=1 << 31, bufs=1),
        image.new("pipe_inode_info", head=1, ring_size=4, bufs=1),
        0xFFFFC90000000000,
    ]
    odd = image.poke(image.room(size), bytes(size))
    image.set("pipe_buffer", odd, page=page(1) + 1, ops=operations)
    bad.append(image.new("pipe_inode_info", head=1, ring_size=1, bufs=odd))
    image.process(8, "odd", [image.file("pipe_release", each) for each in bad])
    kernel = Kernel(image)

    found = list(load()["pipe"].walk(kernel))

    assert [each.owners for each in found] == [(Owner(7, "pipes", fd),) for fd in (3, 4, 5)]
    assert kernel.races == len(bad)


FUSE = """
struct fuse_iqueue { int connected; struct list_head pending; };
struct fuse_pqueue { int connected; struct list_head *processing; struct list_head io; };
struct fuse_conn {
    int lock; struct fuse_iqueue iq; struct list_head bg_queue; struct list_head devices;
};
struct fuse_dev { struct fuse_conn *fc; struct fuse_pqueue pq; struct list_head entry; };
struct fuse_mount { struct fuse_conn *fc; struct super_block *sb; };
struct fuse_args { u64 nodeid; u32 opcode; bool user_pages:1; bool is_pinned:1; };
struct kiocb { struct file *ki_filp; long ki_pos; };
struct fuse_io_priv { int refs; struct kiocb *iocb; };
struct fuse_in_header { u32 len; u32 pid; };
struct fuse_req {
    struct list_head list; struct fuse_args *args; struct { struct fuse_in_header h; } in;
};
"""
FOLIOS = """
struct fuse_folio_desc { unsigned int length; unsigned int offset; };
struct fuse_args_pages {
    struct fuse_args args; struct folio **folios; struct fuse_folio_desc *descs;
    unsigned int num_folios;
};
struct fuse_io_args { long read; struct fuse_args_pages ap; struct fuse_io_priv *io; };
"""
PAGES = """
struct fuse_page_desc { unsigned int length; unsigned int offset; };
struct fuse_args_pages {
    struct fuse_args args; struct page **pages; struct fuse_page_desc *descs;
    unsigned int num_pages;
};
struct fuse_io_args { long read; struct fuse_args_pages ap; struct fuse_io_priv *io; };
"""


BOTH = """
struct fuse_page_desc { unsigned int length; unsigned int offset; };
struct fuse_folio_desc { unsigned int length; unsigned int offset; };
struct fuse_args_pages {
    struct fuse_args args;
    union {
        struct { struct page **pages; struct fuse_page_desc *descs; unsigned int num_pages; };
        struct {
            struct folio **folios; struct fuse_folio_desc *folio_descs; unsigned int num_folios;
        };
    };
    bool uses_folios;
};
struct fuse_io_args { long read; struct fuse_args_pages ap; struct fuse_io_priv *io; };
"""


CHAN = "struct fuse_conn { int lock; struct fuse_chan *chan; };" + FUSE.replace(
    "struct fuse_conn {", "struct fuse_chan {"
)
"""7.2: what fuse_conn had of queues and devices is apart."""
RING = """
struct fuse_ring { void *back; unsigned long nr_queues; struct fuse_ring_queue **queues; };
struct fuse_ring_queue {
    struct fuse_ring *ring; struct list_head ent_avail_queue; struct list_head ent_w_req_queue;
    struct list_head ent_commit_queue; struct list_head ent_in_userspace;
    struct list_head ent_released; struct list_head fuse_req_queue;
    struct list_head fuse_req_bg_queue; struct fuse_pqueue fpq;
};
struct fuse_ring_ent { int *headers; struct list_head list; struct fuse_req *fuse_req; };
"""
IN_RING = (
    *("fuse_req_queue", "fuse_req_bg_queue"),
    *("ent_w_req_queue", "ent_in_userspace", "ent_commit_queue"),
)


def with_ring(declarations: str) -> str:
    """The same where connections may have a ring of io_uring."""
    of_devices = "struct list_head devices;"
    return declarations.replace(of_devices, of_devices + " struct fuse_ring *ring;") + RING


class Fuse:
    """A FUSE file system, and process 7 that reads 6144 bytes directly from a file of it."""

    HASH = 256

    def __init__(self, declarations: str, name: str) -> None:
        image = self.image = Image(declarations)
        file = image.file("fuse_release", 0)
        self.request = self._request(name, file)
        self.node = image.where("fuse_req", self.request, "list")
        self.processing = image.room(16 * self.HASH)
        for slot in range(self.HASH):
            image.chain(self.processing + 16 * slot, [])
        device = image.new("fuse_dev", pq__processing=self.processing)
        self.io = image.where("fuse_dev", device, "pq.io")
        image.chain(self.io, [])

        self.type = "fuse_chan" if image.btf.has("fuse_chan") else "fuse_conn"
        self.queues = image.new(self.type)
        image.chain(self.at("iq.pending"), [])
        image.chain(self.at("bg_queue"), [])
        image.chain(self.at("devices"), [image.where("fuse_dev", device, "entry")])

        apart = self.type == "fuse_chan"
        fc = image.new("fuse_conn", chan=self.queues) if apart else self.queues
        sb = image.file_system("fuse", s_fs_info=image.new("fuse_mount", fc=fc))
        image.set("file", file, f_inode=image.new("inode", i_sb=sb))
        image.process(7, "reader", [file])

    def at(self, path: str) -> int:
        return self.image.where(self.type, self.queues, path)

    def _request(self, name: str, file: int) -> int:
        image = self.image
        descs = image.poke(image.room(16), b"\x00\x10\0\0\0\0\0\0" + b"\x00\x08\0\0\x00\x30\0\0")
        pages = {name + "s": image.pointers([page(70), page(512)]), "descs": descs}
        iocb = image.new("kiocb", ki_filp=file)
        io = image.new("fuse_io_args", io=image.new("fuse_io_priv", iocb=iocb))
        ap = image.where("fuse_io_args", io, "ap")
        image.set("fuse_args_pages", ap, **pages, **{f"num_{name}s": 2})
        image.set("fuse_args", ap, opcode=15, user_pages=1, is_pinned=1)
        return image.new("fuse_req", args=ap, in__h__pid=7)

    def ring(self, count: int = 2) -> int:
        """A ring of `count` queues of which only the second is there; that queue."""
        image = self.image
        queue = image.new("fuse_ring_queue")
        for path in IN_RING:
            image.chain(image.where("fuse_ring_queue", queue, path), [])
        ring = image.new("fuse_ring", nr_queues=count, queues=image.pointers([0, queue]))
        image.set(self.type, self.queues, ring=ring)
        return queue

    def entry(self, request: int) -> int:
        """The list_head of an entry of a ring's queue."""
        entry = self.image.new("fuse_ring_ent", fuse_req=request)
        return self.image.where("fuse_ring_ent", entry, "list")

    def check(self) -> None:
        """The request is found, once, and is the reader's."""
        (found,) = walk(self.image, "fuse")
        assert found.extents == Extents([(70, 1, 1), (515, 1, 1)])
        assert (found.detail, found.length) == ("READ", 6144)
        assert found.owners == (Owner(7, "reader", 3),)
        assert not found.references


@pytest.mark.parametrize(
    ("declarations", "name"),
    [
        *((FUSE + PAGES, "page"), (FUSE + BOTH, "page"), (FUSE + FOLIOS, "folio")),
        *((with_ring(each) + FOLIOS, "folio") for each in (FUSE, CHAN)),
    ],
    ids=["6.6", "6.12", "6.13", "6.14 and newer", "7.2"],
)
@pytest.mark.parametrize("place", ["iq.pending", "bg_queue", "pq.io", "pq.processing"])
def test_fuse_finds_a_request_wherever_it_waits(declarations: str, name: str, place: str) -> None:
    fuse = Fuse(declarations, name)
    if place.startswith("pq."):
        head = fuse.io if place == "pq.io" else fuse.processing + 48
    else:
        head = fuse.at(place)
    fuse.image.chain(head, [fuse.node])
    fuse.check()


@pytest.mark.parametrize("declarations", [FUSE, CHAN], ids=["6.14", "7.2"])
@pytest.mark.parametrize("place", IN_RING)
def test_fuse_finds_a_request_wherever_it_waits_in_a_ring(declarations: str, place: str) -> None:
    fuse = Fuse(with_ring(declarations) + FOLIOS, "folio")
    head = fuse.image.where("fuse_ring_queue", fuse.ring(), place)
    fuse.image.chain(head, [fuse.entry(fuse.request) if place.startswith("ent_") else fuse.node])
    fuse.check()


def test_fuse_claims_a_request_once_that_moves_meanwhile() -> None:
    fuse = Fuse(with_ring(FUSE) + FOLIOS, "folio")
    queue = fuse.ring()
    for place in ("ent_w_req_queue", "ent_in_userspace"):
        head = fuse.image.where("fuse_ring_queue", queue, place)
        fuse.image.chain(head, [fuse.entry(fuse.request), fuse.entry(0)])
    fuse.check()


def test_fuse_believes_no_ring_of_more_queues_than_there_are_cpus() -> None:
    fuse = Fuse(with_ring(FUSE) + FOLIOS, "folio")
    fuse.ring(count=8193)
    kernel = Kernel(fuse.image)
    assert list(load()["fuse"].walk(kernel)) == []
    assert kernel.races == 1


AIO = """
struct kioctx {
    int dead; unsigned int id; unsigned long mmap_base; unsigned long mmap_size;
    struct folio **ring_folios; long nr_pages;
};
struct kioctx_table { long rcu; unsigned int nr; struct kioctx *table[0]; };
struct mm_struct { int users; struct kioctx_table *ioctx_table; };
"""


def aio(image: Image, pages: int, frames: list[int], rings: int = 4) -> int:
    """An address space with one ring of these frames, the second of its table."""
    name = "ring_folios" if image.btf.has("kioctx", "ring_folios") else "ring_pages"
    folios = image.pointers([page(frame) if frame else 0 for frame in frames])
    ring = image.new("kioctx", id=1, mmap_base=0x7F00_0000_0000, mmap_size=4096 * len(frames))
    image.set("kioctx", ring, nr_pages=pages, **{name: folios})
    table = image.new("kioctx_table", spare=32, nr=rings)
    image.poke(image.where("kioctx_table", table, "table"), struct.pack("<4Q", 0, ring, 0, 0))
    return image.new("mm_struct", ioctx_table=table)


@pytest.mark.parametrize(
    "declarations",
    [AIO, AIO.replace("struct folio **ring_folios", "struct page **ring_pages")],
    ids=["6.12 and newer", "6.1"],
)
def test_aio_claims_a_ring_once_of_all_that_share_its_memory(declarations: str) -> None:
    image = Image(declarations)
    mm = aio(image, 3, [70, 0, 71])  # the second was put meanwhile
    image.process(7, "database", mm=mm)
    image.process(8, "vforked", mm=mm)
    image.process(9, "kthread")

    (found,) = walk(image, "aio")

    assert found.owners == (Owner(7, "database"), Owner(8, "vforked"))
    assert found.extents == Extents([(70, 1, 1), (71, 1, 1)])
    assert (found.detail, found.address, found.length) == ("ring 1", 0x7F00_0000_0000, 3 * 4096)
    assert found.references


@pytest.mark.parametrize(("pages", "rings"), [(65538, 4), (-1, 4), (1, (1 << 20) + 1)])
def test_aio_believes_no_count_beyond_the_kernels(pages: int, rings: int) -> None:
    image = Image(AIO)
    image.process(7, "database", mm=aio(image, pages, [70], rings))
    kernel = Kernel(image)
    assert list(load()["aio"].walk(kernel)) == []
    assert kernel.races == 1


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


def test_bio_of_a_waiting_read() -> None:
    disk = Disk()
    image = disk.image
    done = image.new("completion")
    waiter = image.new("swait_queue", task=disk.task)
    head = image.where("completion", done, "wait.task_list")
    image.chain(head, [image.where("swait_queue", waiter, "task_list")])
    end = image.function("submit_bio_wait_endio")
    # Two pages side by side are one bvec; the second begins inside a page.
    vectors = [(80, 8192, 0), (90, 512, 512)]
    bio = disk.bio(vectors, bi_flags=1, bi_end_io=end, bi_private=done)
    image.set("request", disk.request, bio=bio)

    (found,) = walk(image, "bio")

    assert found.extents == Extents([(80, 1, 1), (81, 1, 1), (90, 1, 1)])
    assert found.detail == "READ on vdz"
    assert found.owners == (Owner(9, "dd", 3),)
    assert found.length == 8704


def test_bio_of_a_kernel_whose_direct_reads_pin_nothing() -> None:
    disk = Disk("enum bio_bits { BIO_NO_PAGE_REF = 0, BIO_CLONED = 1 };" + BIO)
    disk.image.set("request", disk.request, bio=disk.bio([(80, 4096, 0)], bi_flags=1))
    with pytest.raises(LayoutError, match="references, not pins"):
        walk(disk.image, "bio")


@pytest.mark.parametrize(
    ("end", "struct"),
    [("iomap_dio_bio_end_io", "iomap_dio"), ("blkdev_bio_end_io", "blkdev_dio")],
)
def test_bio_of_an_asynchronous_write_leads_to_its_file(end: str, struct: str) -> None:
    disk = Disk()
    image = disk.image
    dio = image.new(struct, iocb=image.new("kiocb", ki_filp=disk.file))
    bio = disk.bio(
        [(80, 4096, 0)], bi_flags=1, bi_opf=1, bi_end_io=image.function(end), bi_private=dio
    )
    image.set("request", disk.request, bio=bio)

    (found,) = walk(image, "bio")

    assert (found.detail, found.owners) == ("WRITE on vdz", (Owner(9, "dd", 3),))


def test_bio_of_a_large_read_leads_to_the_task_that_waits() -> None:
    """DIO_IS_SYNC is 2, DIO_SHOULD_DIRTY 1 (block/fops.c)."""
    disk = Disk()
    image = disk.image
    dio = image.new("blkdev_dio", waiter=disk.task, flags=3)
    end = image.function("blkdev_bio_end_io")
    bio = disk.bio([(80, 4096, 0)], bi_flags=1, bi_end_io=end, bi_private=dio)
    image.set("request", disk.request, bio=bio)

    (found,) = walk(image, "bio")

    assert found.owners == (Owner(9, "dd", 3),)


def test_bio_of_the_short_path_lies_in_its_dio() -> None:
    disk = Disk()
    image = disk.image
    dio = image.new("blkdev_dio", iocb=image.new("kiocb", ki_filp=disk.file))
    bio = image.where("blkdev_dio", dio, "bio")
    bvecs = image.bvecs(image.room(16), [(80, 4096, 0)])
    end = image.function("blkdev_bio_end_io_async")
    image.set("bio", bio, bi_io_vec=bvecs, bi_vcnt=1, bi_flags=1, bi_end_io=end, bi_bdev=disk.bdev)
    image.set("request", disk.request, bio=bio)

    (found,) = walk(image, "bio")

    assert (found.detail, found.owners) == ("READ on vdz", (Owner(9, "dd", 3),))


def test_bio_split_in_two_is_claimed_once_by_the_one_that_pinned() -> None:
    disk = Disk()
    image = disk.image
    whole = disk.bio([(80, 8192, 0)], bi_flags=1)
    chained = image.function("bio_chain_endio")
    parts = [disk.bio([(80, 4096, 0)], bi_flags=2, bi_end_io=chained, bi_private=whole)]
    image.set("bio", parts[0], bi_next=whole)
    image.set("request", disk.request, bio=parts[0])

    (found,) = walk(image, "bio")

    assert found.extents == Extents([(80, 1, 1), (81, 1, 1)])


def test_bio_of_the_page_cache_is_nobodys_pin() -> None:
    disk = Disk()
    disk.image.set("request", disk.request, bio=disk.bio([(80, 4096, 0)], bi_flags=0))

    assert walk(disk.image, "bio") == []


PT_REGS = """
struct pt_regs { long r15; long r10; long di; long orig_ax; long ip; u16 cs; };
"""


@pytest.mark.parametrize("padding", [0, 16], ids=["plain", "FRED"])
@pytest.mark.parametrize("count", [3, 40], ids=["on the stack", "in an array"])
def test_process_vm_finds_its_pages_from_its_stack(count: int, padding: int) -> None:
    image = Image(PT_REGS)
    stack = image.room(16 << 10)
    registers = stack + (16 << 10) - image.btf.size("pt_regs") - padding
    image.set("pt_regs", registers, orig_ax=310, di=55, cs=0x33)
    pages = [page(pfn) for pfn in range(100, 100 + count)]
    data = b"".join(each.to_bytes(8, "little") for each in pages)
    if count <= 16:
        image.poke(stack + 0x800, data)
    else:
        array = image.poke(image.room(8192), data)
        image.poke(stack + 0x900, array.to_bytes(8, "little"))
    image.process(7, "copier", stack=stack)
    image.process(8, "idle", stack=image.room(16 << 10))

    (found,) = walk(image, "process_vm")

    assert found.weak
    assert found.extents == Extents((pfn, 1, 1) for pfn in range(100, 100 + count))
    assert found.detail == "process_vm_readv of process 55"
    assert found.owners == (Owner(7, "copier"),)


def test_every_walker_says_what_it_is_and_needs() -> None:
    walkers = load()

    assert {"io_uring", "bio", "fuse", "af_xdp", "pipe", "process_vm"} <= set(walkers)
    for kind, walker in walkers.items():
        assert walker.kind == kind and walker.summary and walker.needs


SOCKETS = """
struct rb_node { unsigned long up; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct sk_buff {
    union { struct { struct sk_buff *next; struct sk_buff *prev; }; struct rb_node rbnode;
            struct list_head list; };
    unsigned int tail; unsigned int end; u8 *head;
};
struct skb_frag { u64 netmem; unsigned int len; unsigned int offset; };
struct skb_shared_info {
    u8 flags; u8 meta_len; u8 nr_frags; struct sk_buff *frag_list; struct skb_frag frags[17];
};
struct sock_common { u16 skc_family; };
struct sock {
    struct sock_common __sk_common; struct list_head sk_receive_queue;
    struct list_head sk_write_queue; struct list_head sk_error_queue;
    struct rb_root tcp_rtx_queue; u16 sk_protocol;
};
struct socket { int state; struct sock *sk; };
"""


def packet(image: Image, frames: list[int], **info: int) -> int:
    """A packet of some frames, one fragment each."""
    shared = image.new("skb_shared_info", nr_frags=len(frames), **info)
    image.bvecs(image.where("skb_shared_info", shared, "frags"), [(pfn, 4096, 0) for pfn in frames])
    return image.new("sk_buff", head=shared - 128, end=128)


@pytest.fixture
def all_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame is the kernel's own."""
    monkeypatch.setattr(
        "pinlab.field.holders.walkers.socket.of_user", lambda _, frames: frames != 99
    )


@pytest.mark.usefixtures("all_of_users")
def test_socket_claims_others_pages_in_its_queues() -> None:
    image = Image(SOCKETS)
    sock = image.new("sock", sk_protocol=6)
    image.set("sock_common", sock, skc_family=2)
    waiting = packet(image, [10, 11], flags=1)
    lent = packet(image, [30], flags=1 | 16)  # io_uring keeps the references itself
    own = packet(image, [99])
    image.chain(
        image.where("sock", sock, "sk_write_queue"),
        [image.where("sk_buff", each, "list") for each in (waiting, lent, own)],
    )
    sent = packet(image, [12], flags=1, frag_list=packet(image, [13]))
    image.set("sock", sock, tcp_rtx_queue__rb_node=image.where("sk_buff", sent, "rbnode"))
    image.process(7, "server", [image.file("sock_close", image.new("socket", sk=sock))])

    sends, splices = walk(image, "socket")

    assert sends.extents == Extents([(12, 1, 1), (10, 1, 1), (11, 1, 1)])
    assert splices.extents == Extents([(13, 1, 1)])
    assert (sends.detail, sends.references) == ("zero-copy send, tcp", True)
    assert sends.owners == (Owner(7, "server", 3),)


@pytest.mark.usefixtures("all_of_users")
def test_socket_counts_fragments_that_clones_share_once() -> None:
    image = Image(SOCKETS)
    shared = packet(image, [10])
    head = image.btf.offset("sk_buff", "head")
    clone = image.new("sk_buff", end=128)
    image.poke(clone + head, image.read(shared + head, 8))
    for packets in ([shared], [clone]):
        sock = image.new("sock")
        image.set("sock_common", sock, skc_family=1)
        image.chain(image.where("sock", sock, "sk_receive_queue"), packets)
        image.process(7, "x", [image.file("sock_close", image.new("socket", sk=sock))])

    (found,) = walk(image, "socket")

    assert found.extents.total == 1


KEPT = SOCKETS.replace("u8 *head;", "u8 *head; u8 cb[48];").replace(
    "struct sock_common {",
    "struct scm_fp_list { short count; struct file *fp[253]; };"
    "struct unix_skb_parms { void *pid; struct scm_fp_list *fp; };"
    "struct sock_common {",
) + UBUF_NEW.replace(
    "struct io_ring_ctx {\n    int flags; struct io_rsrc_data file_table;",
    "struct io_file_table { struct io_rsrc_data data; };"
    "struct io_ring_ctx { int flags; struct io_file_table file_table;",
)


def test_a_file_in_a_message_or_a_rings_table_is_found() -> None:
    """A socket in flight has a ring in flight, whose table has a third file: nobody has a
    descriptor of the last two."""
    image = Image(KEPT)
    last = image.file("some_release", 5)
    node = image.new("io_rsrc_node", file_ptr=last | 4)
    files = {"file_table__data__nr": 1, "file_table__data__nodes": image.pointers([node])}
    ring = image.file("io_uring_release", image.new("io_ring_ctx", **files))
    passed = image.new("scm_fp_list", count=1)
    image.poke(image.where("scm_fp_list", passed, "fp"), struct.pack("<Q", ring))
    message = image.new("sk_buff")
    image.set("unix_skb_parms", image.where("sk_buff", message, "cb"), fp=passed)
    sock = image.new("sock")
    image.set("sock_common", sock, skc_family=1)
    image.chain(image.where("sock", sock, "sk_receive_queue"), [message])
    image.process(7, "reader", [image.file("sock_close", image.new("socket", sk=sock))])

    found = Kernel(image).files

    (third,) = found.released_by("some_release")
    assert third.owners == (Owner(7, "reader", by="a ring's file table"),)
    assert found.rings[0].owners == (Owner(7, "reader", by="a message in flight"),)
    assert len(found.all) == 3
