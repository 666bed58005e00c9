"""A direct write to the file throws the pinned page out of the cache: what the device stored into
it afterwards is in no file."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read_and_verify
from pinlab.lab.linux.truncate import iomap_dio_rw
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="direct-io-invalidate",
    summary="O_DIRECT read into a mapped file page beside an O_DIRECT write to that file",
    tasks=(
        *direct_io(aio_read_and_verify, (FILE, 1, SHARED, 0)),
        Task("direct write", iomap_dio_rw, (FILE, 0)),
    ),
    initial={**file_mapped(), "truncates": (1,)},
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 direct write",
    reach=(ReachFunction("the page is invalidated", "invalidate_inode_pages2"),),
)
