"""An ordinary reference, taken before the pin and dropped after it, by a write fault elsewhere."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read, take_and_drop, wb_workfn
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="direct-io-get-put",
    summary="O_DIRECT read beside background writeback and somebody's get_page() and put_page()",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("writeback", wb_workfn, (FILE,)),
        Task("reader", take_and_drop, (1,)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 round of writeback, 1 plain reference",
    reach=(PINNED_UNDER_WRITEBACK, ReachFunction("a plain reference", "take_and_drop")),
)
