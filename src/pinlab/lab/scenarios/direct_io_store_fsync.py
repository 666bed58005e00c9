"""A CPU stores through its TLB while the page is pinned and written back; flushes are by IPI."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read, fsync_only, store
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="direct-io-store-fsync",
    summary="O_DIRECT read and a thread that stores into the page beside fsync, TLB flush by IPI",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("thread", store, (1, SHARED, 0)),
        Task("fsync", fsync_only, (FILE,)),
    ),
    initial={**file_mapped(), "mm_cpumask": (1, 0, 0, 0, 1, 0, 0)},
    judges=("O1", "O2", "I1", "I3", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 2 CPUs with a TLB, 1 DMA with 1 store, 1 CPU store, 1 fsync",
    reach=(PINNED_UNDER_WRITEBACK, ReachFunction("the TLB is flushed", "flush_tlb_page")),
)
