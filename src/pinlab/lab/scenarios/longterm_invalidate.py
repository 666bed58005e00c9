"""A page is pinned for good, then its file is written by O_DIRECT: can the cache be invalidated?"""

from __future__ import annotations

from pinlab.lab.linux.rdma import ib_umem_get
from pinlab.lab.linux.tasks import direct_write_once_pinned
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="longterm-invalidate",
    summary="an O_DIRECT write to a file of which a page is pinned, the device quiet",
    tasks=(
        Task("rdma", ib_umem_get, (1, SHARED, 0), daemon=True),
        Task("write", direct_write_once_pinned, (FILE, 0)),
    ),
    initial={**file_mapped(), "truncates": (1,)},
    judges=("O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, a pin forever with no store, 1 direct write",
    reach=(
        ReachEvents("the page is pinned", (Event.PIN,)),
        ReachFunction("the write begins", "iomap_dio_rw"),
    ),
)
