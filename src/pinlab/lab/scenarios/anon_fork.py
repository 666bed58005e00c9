"""Fork after a pin of anonymous memory: whose page is it when the owner stores there again?"""

from __future__ import annotations

from pinlab.lab.linux.tasks import pin_fork_store, write_fault
from pinlab.lab.linux.types import CHILD, PRIVATE
from pinlab.lab.scenarios.layout import anonymous
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="anon-fork",
    summary="a pin of anonymous memory, then fork, then stores of parent and child",
    tasks=(
        Task("parent", pin_fork_store, (1, 2, PRIVATE, CHILD, 0)),
        Task("child", write_fault, (2, CHILD, 0)),
    ),
    initial=anonymous(),
    judges=("I1", "I5", "I10", "I12"),
    bounds="1 anonymous page and room for 1 copy, 1 pin, 1 fork, 1 store each",
    reach=(ReachFunction("an entry is copied", "copy_one_pte"),),
)
