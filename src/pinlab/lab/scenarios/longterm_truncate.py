"""A memory registration that is never dropped, and truncate."""

from __future__ import annotations

from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.longterm_fsync import LONGTERM
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="longterm-truncate",
    summary="an RDMA registration that never lets go beside truncate",
    tasks=(*LONGTERM, Task("truncate", ext4_setattr, (FILE, 0))),
    initial={**file_mapped(), "truncates": (1,)},
    judges=("I1", "I3", "I10", "I12"),
    bounds="1 page, 1 mapping, a pin forever with any number of stores, 1 truncate",
    reach=(
        ReachEvents("the page is pinned", (Event.PIN,)),
        ReachFunction("truncate finds the page", "truncate_inode_page"),
    ),
)
