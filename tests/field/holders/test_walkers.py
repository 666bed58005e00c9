"""What every walker does: it says what it needs, and goes on where something is gone."""

from __future__ import annotations

import pytest

from pinlab.field.errors import LayoutError
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import load
from tests.field.holders.made import UBUF_NEW, ubuf, walk
from tests.field.image import Image


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


def test_every_walker_says_what_it_is_and_needs() -> None:
    walkers = load()

    assert {"io_uring", "bio", "fuse", "af_xdp", "pipe", "process_vm"} <= set(walkers)
    for kind, walker in walkers.items():
        assert walker.kind == kind and walker.summary and walker.needs
