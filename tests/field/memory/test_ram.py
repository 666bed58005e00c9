"""Which frames there are, from the texts of /proc."""

from __future__ import annotations

from pinlab.field.memory.ram import merged, of_iomem, of_zoneinfo
from pinlab.field.memory.reader import PfnRange

IOMEM = """\
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
00100000-bfffffff : System RAM
  01000000-02209987 : Kernel code
100000000-13fffffff : virtio0
  100000000-107ffffff : System RAM (virtio_mem)
140000000-14fffffff : Persistent Memory
  140000000-14fffffff : namespace0.0
"""

HIDDEN = """\
00000000-00000000 : Reserved
00000000-00000000 : System RAM
"""

ZONEINFO = """\
Node 0, zone      DMA
  pages free     3840
        spanned  4095
        present  3998
  start_pfn:           1
Node 0, zone    DMA32
        spanned  1044480
  start_pfn:           4096
Node 0, zone  Movable
        spanned  0
"""


def test_iomem() -> None:
    assert of_iomem(IOMEM) == (
        PfnRange(1, 0x9F - 1),
        PfnRange(0x100, 0xBFF00),
        PfnRange(0x100000, 0x8000),
        PfnRange(0x140000, 0x10000, device=True),
    )


def test_hidden_addresses_are_no_memory() -> None:
    assert of_iomem(HIDDEN) == ()


def test_zoneinfo() -> None:
    assert of_zoneinfo(ZONEINFO) == (PfnRange(1, 4095 + 1044480),)


def test_merged() -> None:
    ram, device = PfnRange(0, 10), PfnRange(5, 10, device=True)
    assert merged([ram, device]) == (ram, PfnRange(10, 5, device=True))
    assert merged([PfnRange(20, 5), ram, PfnRange(8, 2)]) == (ram, PfnRange(20, 5))
