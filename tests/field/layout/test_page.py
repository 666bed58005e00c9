"""Layouts of struct page from BTF alone, for every generation, and what is refused."""

from __future__ import annotations

import pytest

from pinlab.field.errors import LayoutError
from pinlab.field.layout.btf import Btf
from pinlab.field.layout.page import Field, Hugetlb, LargeMapcount, PageLayout, page_layout
from tests.field.btf_builder import KERNELS, BtfBuilder, kernel


def layout(release: str) -> PageLayout:
    return page_layout(Btf(kernel(release)))


@pytest.mark.parametrize("release", KERNELS)
def test_the_head(release: str) -> None:
    found = layout(release)
    assert (found.refcount, found.mapcount) == (Field(0, 52, 4), Field(0, 48, 4))
    assert (found.flags.offset, found.mapping.offset, found.index.offset) == (0, 24, 32)
    assert found.compound_head == Field(0, 8, 8) and found.words == 8


@pytest.mark.parametrize(
    ("release", "pincount", "mapcount", "rule", "order", "hugetlb"),
    [
        ("6.1", 24, 20, LargeMapcount.DOUBLE, Field(1, 17, 1), Hugetlb.DESTRUCTOR),
        ("6.6", 28, 20, LargeMapcount.ENTIRE, Field(1, 0, 8), Hugetlb.FLAG),
        ("6.11", 28, 16, LargeMapcount.LARGE, Field(1, 0, 8), Hugetlb.TYPE_BIT),
        ("6.12", 28, 16, LargeMapcount.LARGE, Field(1, 0, 8), Hugetlb.TYPE),
        ("6.18", 28, 16, LargeMapcount.LARGE, Field(1, 0, 8), Hugetlb.TYPE),
    ],
)
def test_what_differs(
    release: str,
    pincount: int,
    mapcount: int,
    rule: LargeMapcount,
    order: Field,
    hugetlb: Hugetlb,
) -> None:
    found = layout(release)
    assert found.pincount == Field(1, pincount, 4)
    assert (found.large_mapcount, found.large_mapcount_rule) == (Field(1, mapcount, 4), rule)
    assert (found.order, found.hugetlb) == (order, hugetlb)


def test_types_and_flags() -> None:
    old, middle, new = layout("6.1"), layout("6.11"), layout("6.18")
    assert (old.type_limit, middle.type_limit, new.type_limit) == (-128, -65536, -(1 << 24))
    assert old.slab_flag == 9 and new.slab_flag is None
    assert new.types[0xF5] == "slab" and new.hugetlb_value == 0xF4
    assert old.bit("head") == 1 << 16 and new.bit("head") == 1 << 6
    with pytest.raises(LayoutError, match="no page flag PG_none"):
        new.bit("none")


def test_rules_without_a_field() -> None:
    assert [layout(each).hugetlb_cache_per_page for each in KERNELS] == [False, False, *[True] * 3]
    assert [layout(each).device_idle_references for each in KERNELS] == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("missing", ["_refcount", "_pincount", "mapping", "PG_head", "PG_private"])
@pytest.mark.parametrize("release", KERNELS)
def test_what_is_missing_is_named(release: str, missing: str) -> None:
    with pytest.raises(LayoutError, match=f"no layout we know; missing: .*{missing}"):
        page_layout(Btf(kernel(release, without=[missing])))


def test_no_mapcount_of_large_folios() -> None:
    names = ["_large_mapcount", "_entire_mapcount", "_total_mapcount"]
    with pytest.raises(LayoutError, match="_large_mapcount or _entire_mapcount"):
        page_layout(Btf(kernel("6.12", without=names)))


def test_kernels_that_are_too_old() -> None:
    build = BtfBuilder()
    build.struct("page", 64, [])
    with pytest.raises(LayoutError, match="no struct folio"):
        page_layout(Btf(build.bytes()))
