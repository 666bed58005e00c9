"""Which frames of this machine have a struct page: /proc/iomem, or /proc/zoneinfo without it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pinlab.field.errors import ReaderError
from pinlab.field.memory.reader import PAGE_SIZE, PfnRange

_LINE = re.compile(r"\s*([0-9a-f]+)-([0-9a-f]+) : (.+)")


def of_this_machine() -> tuple[PfnRange, ...]:
    """The frames present, ascending. Raises ReaderError."""
    try:
        found = of_iomem(Path("/proc/iomem").read_text(encoding="ascii", errors="replace"))
        if not found:  # without CAP_SYS_ADMIN every address is shown as 0
            found = of_zoneinfo(Path("/proc/zoneinfo").read_text(encoding="ascii"))
    except OSError as error:
        raise ReaderError(f"{error.filename} cannot be read: {error.strerror}") from error
    if not found:
        raise ReaderError("neither /proc/iomem nor /proc/zoneinfo tells where memory lies")
    return found


def of_iomem(text: str) -> tuple[PfnRange, ...]:
    """The frames of System RAM and of Persistent Memory in the text of /proc/iomem.

    Hot-added memory is named "System RAM (virtio_mem)" and lies below a device, so the nesting
    does not matter; what a kernel's part of RAM is called below System RAM does not either.
    """
    ranges = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        device = match[3].startswith("Persistent Memory")
        if not device and not match[3].startswith("System RAM"):
            continue
        first = -(-int(match[1], 16) // PAGE_SIZE)
        end = (int(match[2], 16) + 1) // PAGE_SIZE
        if end > first:
            ranges.append(PfnRange(first, end - first, device))
    return merged(ranges)


def of_zoneinfo(text: str) -> tuple[PfnRange, ...]:
    """The frames that zones span, holes included, in the text of /proc/zoneinfo."""
    ranges = []
    spanned = 0
    for line in text.splitlines():
        words = line.replace(":", " ").split()
        if words[:1] == ["spanned"]:
            spanned = int(words[1])
        elif words[:1] == ["start_pfn"] and spanned:
            ranges.append(PfnRange(int(words[1]), spanned))
            spanned = 0
    return merged(ranges)


def merged(ranges: Iterable[PfnRange]) -> tuple[PfnRange, ...]:
    """The same frames, ascending, none twice."""
    result: list[PfnRange] = []
    for each in sorted(ranges, key=lambda each: (each.first, -each.count)):
        if result and each.first <= result[-1].end and each.device == result[-1].device:
            last = result.pop()
            result.append(PfnRange(last.first, max(last.end, each.end) - last.first, last.device))
        elif result and each.first < result[-1].end:
            rest = each.end - result[-1].end
            if rest > 0:
                result.append(PfnRange(result[-1].end, rest, each.device))
        else:
            result.append(each)
    return tuple(result)
