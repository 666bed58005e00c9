"""The child of a fork keeps its parent's page in a pipe; the parent reuses the page in place."""

from __future__ import annotations

from pinlab.lab.linux.tasks import store, vmsplice_and_unmap
from pinlab.lab.linux.types import CHILD, PRIVATE
from pinlab.lab.scenarios.layout import anonymous
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="anon-vmsplice",
    summary="after fork the child pins a shared page for reading and unmaps it; the parent stores",
    tasks=(
        Task("parent", store, (1, PRIVATE, 0)),
        Task("child", vmsplice_and_unmap, (2, CHILD, 0)),
    ),
    initial={
        **anonymous(child=True),
        "tables_go": (1,),
        "mm_cpumask": (1, 0, 0, 0, 0, 0, 0),
    },
    judges=("I1", "I6", "I10", "I12"),
    bounds="1 anonymous page and room for 1 copy, 1 pin, 1 munmap, 1 store",
    reach=(ReachFunction("the parent stores", "store"),),
)
