"""munmap frees the page table that GUP-fast is walking without a lock."""

from __future__ import annotations

from pinlab.lab.linux.fork import munmap
from pinlab.lab.linux.tasks import aio_read
from pinlab.lab.linux.types import SHARED
from pinlab.lab.scenarios.direct_io_fsync import direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="munmap-gup-fast",
    summary="GUP-fast beside munmap of the same memory, which frees the page table",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("munmap", munmap, (1, SHARED, 0)),
    ),
    initial={**file_mapped(), "tables_go": (1,)},
    judges=("I1", "I9", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 DMA, 1 munmap",
    reach=(ReachFunction("GUP finds no mapping any more", "get_user_pages_unlocked"),),
)
