"""Memory pressure: the flusher cleans a pinned page, kswapd unmaps it and takes its buffers."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read_and_verify, flusher_then_kswapd
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="direct-io-reclaim",
    summary="O_DIRECT read into a mapped file page beside background writeback and reclaim",
    tasks=(
        *direct_io(aio_read_and_verify, (FILE, 1, SHARED, 0)),
        Task("reclaim", flusher_then_kswapd, (FILE, 1)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 round of writeback and of reclaim",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachFunction("reclaim unmaps the page", "try_to_unmap"),
        ReachFunction("reclaim takes the buffers", "try_to_free_buffers"),
    ),
)
