"""Cutting ranges of frames into chunks, around what is not mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pinlab.field.memory.reader import Chunk, PfnRange

CHUNK_BYTES = 1 << 20
"""Struct pages copied at once: so much stays in a second level cache while it is decoded."""
_GRAIN = 1 << 15
"""vmemmap is mapped for whole subsections of 2 MiB of memory: 32 KiB of struct pages."""

Get = Callable[[int, int], NDArray[np.uint64] | None]
"""The struct pages from a frame up to another, (frames, words); None if not all are mapped."""


def chunked(ranges: Iterable[PfnRange], page_bytes: int, get: Get) -> Iterator[Chunk]:
    """The struct pages of `ranges`. Chunks begin where a large folio may, but never within one
    of up to 2^14 pages; of a larger one only the first two struct pages matter.
    """
    step = CHUNK_BYTES // page_bytes
    for each in ranges:
        first = each.first
        while first < each.end:
            end = min(each.end, (first // step + 1) * step)
            yield from _around(first, end, _GRAIN // page_bytes, get)
            first = end


def _around(first: int, end: int, grain: int, get: Get) -> Iterator[Chunk]:
    pages = get(first, end)
    if pages is not None:
        yield Chunk(first, pages)
        return
    middle = (first + end) // 2 // grain * grain
    if middle <= first:
        middle = (first // grain + 1) * grain
    if middle < end:
        yield from _around(first, middle, grain, get)
        yield from _around(middle, end, grain, get)
