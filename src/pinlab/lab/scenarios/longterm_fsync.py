"""A memory registration that is never dropped, and fsync, which must end all the same."""

from __future__ import annotations

from pinlab.lab.linux.device import streaming_device
from pinlab.lab.linux.rdma import ib_umem_get
from pinlab.lab.linux.tasks import do_fsync
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario, Task
from pinlab.objectives.events import Event

LONGTERM = (
    Task("rdma", ib_umem_get, (1, SHARED, 0), daemon=True),
    Task("device", streaming_device, (1, SHARED, 0), daemon=True),
)

SCENARIO = Scenario(
    name="longterm-fsync",
    summary="an RDMA registration that never lets go beside fsync",
    tasks=(*LONGTERM, Task("fsync", do_fsync, (FILE, 0))),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, a pin forever with any number of stores, 1 fsync",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachEvents("the device stores while pinned", (Event.PIN, Event.DEV_STORE)),
    ),
)
