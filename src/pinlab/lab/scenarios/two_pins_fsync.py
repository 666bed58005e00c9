"""Two pins of one page: the second one goes while the first one's DMA is in flight."""

from __future__ import annotations

from pinlab.lab.linux.tasks import aio_read, do_fsync, pin_unpin
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="two-pins-fsync",
    summary="O_DIRECT read and a second, short pin of the same page beside fsync",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("second pin", pin_unpin, (1, SHARED, 0)),
        Task("fsync", do_fsync, (FILE, 0)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 2 pins, 1 DMA with 1 store, 1 fsync",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachEvents("a pin goes while another stays", (Event.PIN, Event.PIN, Event.UNPIN)),
    ),
)
