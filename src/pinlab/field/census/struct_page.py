"""What struct pages say of themselves, many at once.

`pages`, `heads` and `tails` are arrays of one row of 64-bit words per struct page; an answer has
one element per row.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pinlab.field.layout.page import Field, Hugetlb, PageLayout

MASK_SHIFT = 40
MASK_TOP = (1 << 64 - MASK_SHIFT) - 1
"""A mask of compound_info has all its upper bits set, which no address of a struct page has
(set_compound_head, include/linux/page-flags.h, 7.2)."""


def column(pages: NDArray[np.uint64], place: Field) -> NDArray[Any]:
    """One field of each struct page; `place.page` is the caller's business."""
    return pages.view(f"<u{place.size}")[:, place.offset // place.size]


def flag(pages: NDArray[np.uint64], layout: PageLayout, name: str) -> NDArray[np.bool_]:
    """Whether the page flag PG_`name` is set."""
    # One bit, so four bytes do: half the work of eight.
    bit = layout.flag_bits[name]
    half = Field(0, layout.flags.offset + bit // 32 * 4, 4)
    return _true((column(pages, half) & np.uint32(1 << bit % 32)) != 0)


def tail(pages: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.bool_]:
    """Whether the page is part of a large folio and not its head."""
    return _true((column(pages, layout.compound_head) & np.uint64(1)) != 0)


def leads(
    tails: NDArray[np.uint64], pfn: NDArray[np.uint64], layout: PageLayout, vmemmap: int
) -> NDArray[np.bool_]:
    """Whether the struct page behind each of these frames names it as its head.

    Of a hugetlb folio whose vmemmap was optimized (HVO) only 64 struct pages are real; the
    others are the same memory again, so that every 64th looks like a head and is none
    (page_fixed_fake_head).
    """
    head = np.uint64(vmemmap) + pfn * np.uint64(layout.page_size)
    info = column(tails, layout.compound_head)
    named = _true(info == head + np.uint64(1))
    if not layout.head_by_mask:
        return named
    is_mask = (info >> np.uint64(MASK_SHIFT)) == np.uint64(MASK_TOP)
    first = head + np.uint64(layout.page_size)
    odd = (info & np.uint64(1)) != 0
    return named | _true(is_mask & odd & (first & info == head))


def head_of(
    pages: NDArray[np.uint64], pfn: NDArray[np.uint64], layout: PageLayout, vmemmap: int
) -> NDArray[np.uint64]:
    """The frame of the head of the folio that each page is part of: its own if it is no tail.

    What a page says is not verified: `pages` may be of memory that was freed meanwhile.
    """
    size = np.uint64(layout.page_size)
    base = np.uint64(vmemmap)
    info = column(pages, layout.compound_head) - np.uint64(1)
    if layout.head_by_mask:
        is_mask = (info >> np.uint64(MASK_SHIFT)) == np.uint64(MASK_TOP)
        info = np.where(is_mask, (base + pfn * size) & info, info)
    named: NDArray[np.uint64] = (info - base) // size
    return np.where(tail(pages, layout), named, pfn)


def _true(values: Any) -> NDArray[np.bool_]:
    """What numpy's stubs do not see: that this is an array of truth values."""
    return cast(NDArray[np.bool_], values)


def typed(pages: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.bool_]:
    """Whether the page is of a type (buddy, slab, page table, ...) instead of being mapped."""
    typed = column(pages, layout.mapcount).view(np.int32) < np.int32(layout.type_limit)
    if layout.slab_flag is not None:
        typed = typed | flag(pages, layout, "slab")
    return typed


def hugetlb(
    heads: NDArray[np.uint64], tails: NDArray[np.uint64], layout: PageLayout
) -> NDArray[np.bool_]:
    """Whether large folios are hugetlb; `tails` are their first tail pages."""
    value = layout.hugetlb_value
    if value < 0:
        return np.zeros(len(heads), np.bool_)
    word = column(tails if layout.hugetlb_field.page else heads, layout.hugetlb_field)
    match layout.hugetlb:
        case Hugetlb.TYPE:
            return _true((word >> np.uint32(24)) == value)
        case Hugetlb.TYPE_BIT:
            base = np.uint32(1 << 31)
            return _true((word & np.uint32(1 << 31 | value)) == base)
        case Hugetlb.FLAG:
            return _true((word >> np.uint64(value) & np.uint64(1)) != 0)
        case Hugetlb.DESTRUCTOR:
            return _true(word == value)
