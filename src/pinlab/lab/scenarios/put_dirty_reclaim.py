"""put_user_pages_dirty() beside reclaim, which takes the buffers of a clean page under its lock."""

from __future__ import annotations

from pinlab.lab.linux.tasks import dirty_and_verify, flusher_then_kswapd
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.put_dirty_truncate import PINNED
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="put-dirty-reclaim",
    summary="put_user_pages_dirty() of a mapped file page beside background writeback and reclaim",
    tasks=(
        Task("driver", dirty_and_verify, (FILE, 1, SHARED, 0)),
        Task("reclaim", flusher_then_kswapd, (FILE, 1)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 pin with 1 store, 1 round of writeback and of reclaim, 1 fsync",
    reach=(
        PINNED,
        ReachFunction("reclaim unmaps the page", "try_to_unmap"),
        ReachFunction("reclaim takes the buffers", "try_to_free_buffers"),
    ),
)
