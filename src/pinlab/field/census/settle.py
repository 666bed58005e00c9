"""The readings that count: what the scan found is read until two readings agree."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.counting import Counted, count
from pinlab.field.census.reading import read
from pinlab.field.census.result import COLUMNS, Confidence, Folios
from pinlab.field.census.scan import Candidates
from pinlab.field.layout.page import PIN_BIAS, PageLayout
from pinlab.field.memory.reader import PfnRange, Reader

REREADS = 3


def settle(
    reader: Reader,
    layout: PageLayout,
    found: Candidates,
    places: Iterable[PfnRange],
    *,
    references: bool = False,
) -> tuple[Folios, int]:
    """The pinned folios among those found, with `references` also those that have some which no
    book explains; and how many small ones the kernel only takes for pinned."""
    device = [each for each in places if each.device]
    parts: list[Folios] = []
    false_positives = 0
    for pfn, large in ((found.small, False), (found.large, True)):
        if not len(pfn):
            continue
        last = _settled(reader, layout, pfn, large, device)
        listed = last.pinned | last.referenced if references else last.pinned
        parts.append(last.folios.take(listed))
        if not large:
            many = (last.folios.refcount >= PIN_BIAS) & ~last.pinned
            false_positives += int((many & (last.folios.confidence != Confidence.UNSTABLE)).sum())
    return _sorted(parts), false_positives


def _settled(
    reader: Reader,
    layout: PageLayout,
    pfn: NDArray[np.uint64],
    large: bool,
    device: Iterable[PfnRange],
) -> Counted:
    """The last reading of each folio; it is unstable if none agreed with the one before."""
    last = count(read(reader, layout, pfn, large), layout, device)
    pending = np.arange(0 if reader.frozen else len(pfn))
    for _ in range(REREADS):
        if not len(pending):
            break
        again = count(read(reader, layout, pfn[pending], large), layout, device)
        changed = np.any(last.key[pending] != again.key, axis=1)
        for name in COLUMNS:
            getattr(last.folios, name)[pending] = getattr(again.folios, name)
        last.key[pending], last.pinned[pending] = again.key, again.pinned
        last.referenced[pending] = again.referenced
        pending = pending[changed]
    last.folios.confidence[pending] = Confidence.UNSTABLE
    return last


def _sorted(parts: list[Folios]) -> Folios:
    parts = parts or [Folios.empty()]
    joined = {name: np.concatenate([getattr(each, name) for each in parts]) for name in COLUMNS}
    return Folios(**joined).take(np.argsort(joined["pfn"], kind="stable"))
