"""Two pages mapped in reverse order: the pin of one waits for the writeback of the other."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read_two, fsync_only
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="two-pages-fsync",
    summary="O_DIRECT read into two pages mapped in reverse order beside fsync of both",
    tasks=(Task("read", aio_read_two, (1, SHARED)), Task("fsync", fsync_only, (FILE,))),
    initial=file_mapped(pages=2),
    judges=("I1", "I10", "I12", "I13"),
    bounds="2 pages, 1 mapping of both, 2 pins, 1 fsync",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachFunction("GUP faults", "page_mkwrite"),
    ),
)
