"""Which readers and holders work on this machine, tried out by making a pin and finding it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pinlab.errors import UsageError
from pinlab.field.acts.pinning.kind import hold as holding
from pinlab.field.acts.pinning.kind import load
from pinlab.field.census import Folios, census
from pinlab.field.errors import FieldError
from pinlab.field.holders.attribution import NOT_BUILT_IN, walk
from pinlab.field.holders.fdinfo import FALLBACK
from pinlab.field.holders.walker import Walker
from pinlab.field.holders.walker import load as walkers
from pinlab.field.layout.btf import VMLINUX, Btf
from pinlab.field.layout.page import page_layout
from pinlab.field.memory import choose
from pinlab.field.memory.live import LiveReader
from pinlab.field.memory.reader import PAGE_SIZE, Reader

PAGES = 4
_HOLD = {"pipe": "vmsplice"}
"""What a walker finds is held under another name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that works here, or does not and why."""

    kind: str
    """layout, counters, reader, holder, walker."""
    name: str
    works: bool | None
    """None if it could not be tried."""
    detail: str


def examine() -> tuple[Finding, ...]:
    """Try everything. Whatever is made for it is gone afterwards."""
    return tuple(_findings())


def _findings() -> Iterator[Finding]:
    try:
        layout = page_layout(Btf.of_file())
        yield Finding("layout", str(VMLINUX), True, f"struct page of {layout.page_size} bytes")
    except FieldError as error:
        yield Finding("layout", str(VMLINUX), False, str(error))
    counters = Path("/proc/vmstat").read_text(encoding="ascii")
    counted = "nr_foll_pin_acquired" in counters
    detail = "the census is checked against them" if counted else "not in /proc/vmstat"
    yield Finding("counters", "nr_foll_pin_*", counted, detail)
    working: Reader | None = None
    makers: tuple[tuple[str, Callable[[], Reader]], ...] = (
        ("live (BPF)", LiveReader),
        ("kcore (drgn)", choose.kcore),
    )
    for name, maker in makers:
        try:
            reader = maker()
        except FieldError as error:
            yield Finding("reader", name, False, str(error))
            continue
        yield _tried(name, reader)
        if working is None:
            working = reader
        else:
            reader.close()
    for name in load():
        yield _held(name, working)
    yield from _walkers(working)
    if working is not None:
        working.close()


def _walkers(reader: Reader | None) -> Iterator[Finding]:
    """Whether each walker finds what is held in its way."""
    if reader is None:
        for kind in walkers():
            instead = "`pinlab who` falls back to /proc, which is weak"
            detail = instead if kind == FALLBACK else "nothing but kernel memory tells"
            yield Finding("walker", kind, False, f"no reader; {detail}")
        return
    why = {each.kind: each.reason for each in walk(reader, locate=False).skipped}
    for kind, walker in walkers().items():
        if kind in why:
            works = None if why[kind] == NOT_BUILT_IN else False
            yield Finding("walker", kind, works, why[kind])
        elif _HOLD.get(kind, kind) not in load():
            tested = "tested with live pins" if walker.live_tested else "tested without hardware"
            yield Finding("walker", kind, None, f"nothing here pins that way; {tested}")
        else:
            yield _walked(kind, walker, reader)


def _walked(kind: str, walker: Walker, reader: Reader) -> Finding:
    try:
        with holding(_HOLD.get(kind, kind), PAGES * PAGE_SIZE) as helds:
            claims = walk(reader, [walker], locate=False).of(os.getpid()).claims
            claimed = {pfn for claim in claims for pfn in claim.extents.each_frame().tolist()}
            frames = {pfn for held in helds for pfn in held.extents.each_frame().tolist()}
    except (UsageError, OSError) as error:
        return Finding("walker", kind, None, f"nothing to find: {error}")
    missed = len(frames - claimed)
    if not frames or missed:
        return Finding("walker", kind, False, f"{missed} of {len(frames)} frames were not found")
    return Finding("walker", kind, True, f"found {len(frames)} frames held by this process")


def _tried(name: str, reader: Reader) -> Finding:
    try:
        taken = census(reader)
    except FieldError as error:
        return Finding("reader", name, False, str(error))
    return Finding(
        "reader",
        name,
        True,
        f"read {taken.totals.scanned:,} struct pages in {taken.seconds:.2f} s",
    )


def _held(name: str, reader: Reader | None) -> Finding:
    """Hold some pages this way, and look whether a census finds them."""
    before = None if reader is None else _acquired(reader)
    try:
        with holding(name, PAGES * PAGE_SIZE) as helds:
            (held,) = helds
            if held.counted_as != "pins":
                return Finding("holder", name, True, "holds plain references, which are no pins")
            if reader is None:
                return Finding("holder", name, None, "held, but there is no reader to find it")
            found = frames_of(census(reader).folios)
            frames = set(held.extents.each_frame().tolist())
            pinned = _acquired(reader) != before
    except (UsageError, OSError) as error:
        return Finding("holder", name, False, str(error))
    if not frames:
        return Finding("holder", name, None, "held, but nobody tells us which frames")
    missed = len(frames - found)
    if missed == len(frames) and not pinned and before is not None:
        return Finding("holder", name, None, "this kernel pins nothing for it: plain references")
    if missed:
        return Finding("holder", name, False, f"{missed} of {len(frames)} frames were not found")
    return Finding("holder", name, True, f"held {len(frames)} frames, all found")


def _acquired(reader: Reader) -> int | None:
    """The kernel's count of pins ever taken; None without it."""
    return reader.counters().get("nr_foll_pin_acquired")


def frames_of(folios: Folios) -> set[int]:
    """Every frame of some folios."""
    return {
        pfn
        for first, order in zip(folios.pfn.tolist(), folios.order.tolist(), strict=True)
        for pfn in range(first, first + (1 << order))
    }
