"""Requests of a file system in user space, over memory made by hand. No privileges."""

from __future__ import annotations

import pytest

from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.holders.made import walk
from tests.field.image import Image, page

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
