"""Rings of asynchronous I/O, over memory made by hand. No privileges."""

from __future__ import annotations

import struct

import pytest

from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.holders.made import walk
from tests.field.image import Image, page

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
