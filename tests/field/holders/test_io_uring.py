"""Buffers, areas and memory of rings, over memory made by hand. No privileges."""

from __future__ import annotations

import pytest

from pinlab.field.errors import LayoutError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.extents import Extents
from tests.field.holders.made import UBUF_NEW, UBUF_OLD, ubuf, walk
from tests.field.image import Image, page

UBUF_612 = UBUF_OLD.replace("u64 ubuf_end;", "unsigned int len;")


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
