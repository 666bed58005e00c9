"""The same with a third party: another process unmaps the page while fsync walks its mappings."""

from __future__ import annotations

from pinlab.lab.linux.memory import madvise_dontneed
from pinlab.lab.linux.tasks import aio_read, do_fsync
from pinlab.lab.linux.types import FILE, SHARED, SHARED2
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="direct-io-fsync-zap",
    summary="O_DIRECT read into a file page beside fsync and a zap of another mapping of the page",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("fsync", do_fsync, (FILE, 0)),
        Task("zap", madvise_dontneed, (2, SHARED2, 0)),
    ),
    initial=file_mapped(second_mapping=True),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 2 mappings, 1 DMA with 1 store, 1 fsync, 1 zap",
    reach=(PINNED_UNDER_WRITEBACK, ReachFunction("a mapping is zapped", "zap_pte_range")),
)
