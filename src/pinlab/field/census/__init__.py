"""Every pinned folio of a kernel: how many pins, which other references, whose memory.

The kernel keeps no list of pins, only counts, and of a small folio not even a count of its own:
a pin adds 1024 to the reference count (GUP_PIN_COUNTING_BIAS). So

1. all struct pages are copied out, chunk by chunk, and looked at for two numbers only: a
   reference count of at least 1024, or a `_pincount` above 0 of a large folio;
2. the few folios found are read twice. If what counts differs, they are read again, three times
   at most, and then are *unstable*: something pins, unpins or maps them right now;
3. the references that the kernel can explain (folio_expected_ref_count: mappings, page cache,
   swap cache, private data) are taken off. Of what is left, a large folio's pins are known
   exactly; of a small one every 1024 are one pin.

A small folio with 1024 plain references is pinned to the kernel (folio_maybe_dma_pinned), and
that is right for the kernel, whose question is whether it may be. It is not for us: where the
explained references make up the number it is counted as a *false positive* and not listed, and
where the kernel's own counters know of fewer pins than were found those of small folios are *low*.

The census is not one instant. A folio that nobody touches meanwhile is reported exactly; one
that is pinned behind the scan is missed, one unpinned before the second read is left out.

Refused: asking page by page (a minute), stopping the machine, hooking pin and unpin (sees only
what comes after it).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from pinlab.field.census.result import COLUMNS, Census, Confidence, Folios, Kind, Sums, Totals
from pinlab.field.census.scan import scan
from pinlab.field.census.settle import settle
from pinlab.field.layout.page import PageLayout, page_layout
from pinlab.field.machine import syscalls
from pinlab.field.memory.reader import OWN, PfnRange, Reader

__all__ = ["COLUMNS", "Census", "Confidence", "Folios", "Kind", "Sums", "Totals", "census"]


def census(
    reader: Reader,
    layout: PageLayout | None = None,
    ranges: Iterable[PfnRange] | None = None,
    *,
    references: bool = False,
) -> Census:
    """Every pinned folio in `ranges`, by default of the whole machine; with `references` also
    every other of a user or a file that has references which no book explains. Before it looks
    for those the kernel is asked to empty the batches of its CPUs, as migration does.

    Raises LayoutError for a kernel whose pages we do not know, ReaderError.
    """
    layout = layout or page_layout(reader.btf)
    places = tuple(reader.ranges() if ranges is None else ranges)
    if references and reader.name in OWN:
        with suppress(OSError):
            syscalls.drain_batches()
    started = time.perf_counter()
    taken = time.time()
    before = reader.counters()
    found = scan(reader, layout, places, references=references)
    folios, false_positives = settle(reader, layout, found, places, references=references)
    after = reader.counters()
    present = sum(each.count for each in places)
    totals = Totals(
        scanned=found.scanned,
        unreadable=present - found.scanned,
        false_positives=false_positives,
        vanished=len(found.small) + len(found.large) - len(folios) - false_positives,
        acquired=_both(before, after, "nr_foll_pin_acquired"),
        released=_both(before, after, "nr_foll_pin_released"),
    )
    return Census(
        kernel=reader.release,
        seconds=time.perf_counter() - started,
        taken=taken,
        folios=_against_counters(folios, totals),
        totals=totals,
        source=reader.name,
        boot=reader.boot,
        flag_names=_flag_names(layout),
    )


def _against_counters(folios: Folios, totals: Totals) -> Folios:
    """Where the kernel counts fewer pins than were found, those of small folios are not certain.

    Nor is the kernel: folio_add_pin() takes a pin that only unpinning counts.
    """
    outstanding = totals.outstanding
    if outstanding is None or folios.pins.sum() <= max(outstanding):
        return folios
    doubted = np.where(folios.confidence == Confidence.BIAS, Confidence.LOW, folios.confidence)
    return replace(folios, confidence=doubted.astype(np.uint8))


def _both(before: dict[str, int], after: dict[str, int], name: str) -> tuple[int, int] | None:
    if name not in before or name not in after:
        return None
    return before[name], after[name]


def _flag_names(layout: PageLayout) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, bit in layout.flag_bits.items():
        names.setdefault(bit, name)
    return dict(sorted(names.items()))
