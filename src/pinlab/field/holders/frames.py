"""What some frames are part of, for walkers that must tell a user's pages from the kernel's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.reading import BIGGEST_ORDER, pages_of, read
from pinlab.field.census.struct_page import column, flag, head_of
from pinlab.field.holders.access import Access
from pinlab.field.layout.page import page_layout


def of_user(kernel: Access, frames: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of these frames are of anonymous memory or of a file: their folio has a mapping.

    Of what could not be read: no.
    """
    layout = page_layout(kernel.reader.btf)
    pages, good = _pages(kernel, heads_of(kernel, frames))
    found: NDArray[np.bool_] = good & (column(pages, layout.mapping) != 0)
    return found


def heads_of(kernel: Access, frames: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The first frame of the folio that each frame is part of; itself if it is not credible."""
    layout = page_layout(kernel.reader.btf)
    pages, good = _pages(kernel, frames)
    heads = head_of(pages, frames, layout, kernel.reader.vmemmap)
    credible = good & (heads <= frames) & (frames - heads < np.uint64(1 << BIGGEST_ORDER))
    return np.where(credible, heads, frames)


def folios_of(kernel: Access, frames: NDArray[np.uint64]) -> tuple[list[int], list[int]]:
    """The first frame of the folio that each frame is part of, and how many pages that has."""
    layout = page_layout(kernel.reader.btf)
    heads = heads_of(kernel, frames)
    reading = read(kernel.reader, layout, heads, True)
    large = reading.good & reading.leads & flag(reading.heads, layout, "head")
    sizes = np.where(large, pages_of(reading.tails, layout), 1)
    return heads.tolist(), sizes.tolist()


def _pages(
    kernel: Access, frames: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The struct page of each frame, and whether it could be read."""
    size = page_layout(kernel.reader.btf).page_size
    addresses = np.uint64(kernel.reader.vmemmap) + frames * np.uint64(size)
    rows, good = kernel.reader.read_many(addresses, size)
    return rows.view(np.uint64), good
