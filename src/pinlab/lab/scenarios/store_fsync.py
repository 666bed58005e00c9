"""A pinned page that a CPU stores into: does its own fsync keep the promise beside another one?"""

from __future__ import annotations

from pinlab.lab.linux.rdma import ib_umem_get
from pinlab.lab.linux.tasks import fsync_only, store_and_verify
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="store-fsync",
    summary="a program stores and calls fsync beside another fsync and a quiet RDMA registration",
    tasks=(
        Task("rdma", ib_umem_get, (1, SHARED, 0), daemon=True),
        Task("program", store_and_verify, (FILE, 1, SHARED, 0)),
        Task("fsync", fsync_only, (FILE,)),
    ),
    initial={**file_mapped(), "mm_cpumask": (0, 1, 0, 0, 0, 0, 0)},
    judges=("O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, a pin forever with no store, 1 CPU store, 2 fsyncs",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachEvents("the program reads back its data", (Event.READ_FRESH,)),
    ),
)
