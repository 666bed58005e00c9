"""Packets and areas of sockets, over memory made by hand. No privileges."""

from __future__ import annotations

import struct

import pytest

from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from tests.field.holders.made import UBUF_NEW, walk
from tests.field.image import Image, page

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
