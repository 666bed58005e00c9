"""Users' pages in pipes, over memory made by hand. No privileges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from pinlab.field.memory.singly import read_singly
from tests.field.holders.made import walk
from tests.field.image import Image, page

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
