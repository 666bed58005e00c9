"""DAX and a registration forever: refused in 4.20, so that truncate need not wait forever."""

from __future__ import annotations

from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE
from pinlab.lab.scenarios.layout import dax_file
from pinlab.lab.scenarios.longterm_fsync import LONGTERM
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="longterm-dax",
    summary="an RDMA registration of a DAX page beside truncate",
    tasks=(*LONGTERM, Task("truncate", ext4_setattr, (FILE, 0))),
    initial=dax_file(),
    judges=("O3", "I8", "I10", "I11", "I12"),
    bounds="1 DAX page, 1 mapping, 1 registration, 1 truncate",
    reach=(ReachFunction("the registration is tried", "get_user_pages_longterm"),),
)
