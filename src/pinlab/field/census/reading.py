"""Some folios as read once: the struct page of each head and of its first tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.struct_page import column, hugetlb, leads
from pinlab.field.errors import FaultError
from pinlab.field.layout.page import LargeMapcount, PageLayout
from pinlab.field.memory.reader import Reader

BIGGEST_ORDER = 18
"""A hugetlb page of 1 GiB."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Row i of each is one folio; all are small, or all are large."""

    pfn: NDArray[np.uint64]
    heads: NDArray[np.uint64]
    tails: NDArray[np.uint64]
    """No columns where the folios are small."""
    large: bool
    good: NDArray[np.bool_]
    """What could be read."""
    leads: NDArray[np.bool_]
    """Whether the first tail of each large folio names it as its head."""
    mapped: NDArray[np.int64]
    """Per-page mapcounts added up, where the kernel keeps no sum."""


def read(reader: Reader, layout: PageLayout, pfn: NDArray[np.uint64], large: bool) -> Reading:
    """Read the folios that start at these frames."""
    size = layout.page_size
    addresses = np.uint64(reader.vmemmap) + pfn * np.uint64(size)
    data, good = reader.read_many(addresses, 2 * size if large else size)
    words = data.view(np.uint64)
    heads = np.ascontiguousarray(words[:, : layout.words])
    tails = np.ascontiguousarray(words[:, layout.words :])
    mapped = np.zeros(len(pfn), np.int64)
    if large and layout.large_mapcount_rule is not LargeMapcount.LARGE:
        counts = pages_of(tails, layout)
        huge = hugetlb(heads, tails, layout)
        for i in np.flatnonzero(good & ~huge & (counts > 1)).tolist():
            try:
                pages = reader.pages(int(pfn[i]), int(counts[i]))
            except FaultError:
                good[i] = False
                continue
            each = column(pages, layout.mapcount).view(np.int32).astype(np.int64) + 1
            mapped[i] = each.sum()
    leading = leads(tails, pfn, layout, reader.vmemmap) if large else good
    return Reading(pfn, heads, tails, large, good, leading, mapped)


def pages_of(tails: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.int64]:
    """Pages of large folios, by their order; 0 where the order is none."""
    order = order_of(tails, layout)
    return np.where((order > 0) & (order <= BIGGEST_ORDER), 1 << np.minimum(order, 62), 0)


def order_of(tails: NDArray[np.uint64], layout: PageLayout) -> NDArray[np.int64]:
    """The order that the first tail of a large folio says, whatever it be."""
    return column(tails, layout.order).astype(np.int64) & 0xFF
