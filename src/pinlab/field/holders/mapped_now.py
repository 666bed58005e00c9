"""Frames that a process has at an address now, for holders whose own list is not in memory.

An IOMMU's page tables say which frames a device has; walking those is not done. What the
process maps there is nearly always the same, and never certain: such a claim is weak.
"""

from __future__ import annotations

from typing import Final

from pinlab.field.errors import ReaderError
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.machine import pagemap

MOST: Final = 1 << 40
"""Bytes beyond which a range is not looked up (2 GiB of pagemap)."""


def extents(kernel: Kernel, pid: int, address: int, length: int) -> Extents:
    """Each frame once; none for a kernel that is not ours, or without the privilege."""
    if not kernel.own or length > MOST:
        return Extents()
    try:
        return Extents.of_pages(pagemap.frames(address, length, pid))
    except ReaderError:
        return Extents()
