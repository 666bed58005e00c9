"""What some frames are part of, for walkers that must tell a user's pages from the kernel's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.struct_page import column, head_of
from pinlab.field.holders.access import Access
from pinlab.field.layout.page import page_layout


def of_user(kernel: Access, frames: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of these frames are of anonymous memory or of a file: their folio has a mapping.

    Of what could not be read: no.
    """
    layout = page_layout(kernel.reader.btf)
    first, size = np.uint64(kernel.reader.vmemmap), np.uint64(layout.page_size)
    pages, good = kernel.reader.read_many(first + frames * size, layout.page_size)
    heads = head_of(pages.view(np.uint64), frames, layout, kernel.reader.vmemmap)
    credible = good & (heads <= frames) & (frames - heads < np.uint64(1 << 18))
    heads = np.where(credible, heads, frames)
    pages, good = kernel.reader.read_many(first + heads * size, layout.page_size)
    mapped = column(pages.view(np.uint64), layout.mapping) != 0
    found: NDArray[np.bool_] = credible & good & mapped
    return found
