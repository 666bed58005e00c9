"""DAX: the last mapping of an unlinked file goes, and its blocks with it, whoever pins them."""

from __future__ import annotations

from pinlab.lab.linux.device import one_shot_device
from pinlab.lab.linux.tasks import dax_read, munmap_unlinked
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.layout import dax_file
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario, Task
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="dax-unlink",
    summary="O_DIRECT read into a DAX mapping beside unlink, munmap and reuse of the block",
    tasks=(
        Task("read", dax_read, (1, SHARED, 0)),
        Task("device", one_shot_device, (1, SHARED, 0), daemon=True),
        Task("unlink", munmap_unlinked, (FILE, 1, SHARED, 0)),
    ),
    initial={**dax_file(), "tables_go": (1,)},
    judges=("O3", "I1", "I8", "I10", "I12"),
    bounds="1 DAX page, 1 mapping, 1 DMA with 1 store, 1 unlink, 1 new owner of the block",
    reach=(
        ReachEvents("the block is reused", (Event.BLOCK_FREE, Event.BLOCK_REUSE)),
        ReachEvents("the page is pinned", (Event.PIN,)),
    ),
    unless={"the page is pinned": ("lru-counter-july", "lru-counter-october")},
)
