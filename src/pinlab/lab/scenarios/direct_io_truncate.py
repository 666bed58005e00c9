"""Truncate takes a pinned page out of its file; the DMA goes on into a page of nobody."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read
from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="direct-io-truncate",
    summary="O_DIRECT read into a mapped file page beside truncate of that page",
    tasks=(*direct_io(aio_read, (1, SHARED, 0)), Task("truncate", ext4_setattr, (FILE, 0))),
    initial={**file_mapped(), "truncates": (1,)},
    judges=("O2", "I1", "I3", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 truncate",
    reach=(
        ReachEvents("the page is pinned", (Event.PIN,)),
        ReachFunction("truncate finds the page", "truncate_inode_page"),
    ),
)
