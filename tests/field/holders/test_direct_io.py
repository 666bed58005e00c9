"""Requests of direct I/O, and copies between processes, over memory made by hand."""

from __future__ import annotations

import pytest

from pinlab.field.errors import LayoutError
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from tests.field.holders.made import BIO, PT_REGS, Disk, walk
from tests.field.image import Image, page


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
