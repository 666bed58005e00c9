"""Censuses made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pinlab.field.census import census
from pinlab.field.census.files import MappedFile
from pinlab.field.census.mappers import Mapper
from pinlab.field.census.place import Placed
from tests.field.synthetic import Memory, SyntheticReader, flag

FILE, ANON = 0xFFFF888000001000, 0xFFFF888000002001
COUNTERS = {"nr_foll_pin_acquired": 10, "nr_foll_pin_released": 5}
DATA = MappedFile("254:0", 77, "ext4", "/srv/data.bin")
OWNER = Mapper(4711, "reader", 0x7F0000001000)


def placed(*, boot: str = "b", taken: float = 1000.0, more: bool = False) -> Placed:
    """A file's page pinned twice, two pages of a process, a truncated page; `more`: a leak."""
    memory = Memory("6.18", 64)
    up = flag("6.18", "uptodate")
    memory.small(3, 2 * 1024 + 2, maps=1, flags=up, mapping=FILE, index=9)
    memory.small(5, 1025 + 3, maps=1, flags=up, mapping=ANON, index=1)
    memory.small(6, 1024 * (3 if more else 1) + 1, maps=1, flags=up, mapping=ANON, index=2)
    memory.small(8, 1024, flags=up)
    if more:
        memory.large(16, 2, 2, 1, whole=1, mapping=ANON)
    files = [DATA, None, None, None]
    owners = [None, OWNER, replace(OWNER, address=OWNER.address + 4096), None]
    if more:
        files, owners = [*files, None], [*owners, replace(OWNER, address=0x7F0000200000)]
    found = census(SyntheticReader(memory, counts=dict(COUNTERS)))
    assert len(found.folios) == len(files)
    return Placed(
        replace(found, boot=boot, taken=taken, seconds=0.125), tuple(files), tuple(owners)
    )


def empty() -> Placed:
    """Nothing pinned."""
    return placed().take(np.zeros(0, np.intp))
