"""Another process maps the page for reading while fsync counts its mappings."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read, do_fsync, read_fault
from pinlab.lab.linux.types import FILE, SHARED, SHARED2
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task
from pinlab.lab.scenarios.state import mappings

SCENARIO = Scenario(
    name="direct-io-map-fsync",
    summary="O_DIRECT read into a file page beside fsync and a read fault that maps the page again",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("fsync", do_fsync, (FILE, 0)),
        Task("reader", read_fault, (2, SHARED2, 0)),
    ),
    initial={**file_mapped(), **mappings({SHARED, SHARED2}, is_file=True)},
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping and 1 more by a fault, 1 DMA with 1 store, 1 fsync",
    reach=(PINNED_UNDER_WRITEBACK, ReachFunction("the page is mapped again", "do_read_fault")),
)
