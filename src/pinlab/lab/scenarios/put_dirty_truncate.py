"""put_user_pages_dirty(), which takes no page lock, beside truncate, which cleans under it."""

from __future__ import annotations

from pinlab.lab.linux.tasks import store_then_dirty
from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.events import Event

PINNED = ReachEvents("the page is pinned", (Event.PIN,))
TRUNCATED = ReachFunction("truncate finds the page", "truncate_inode_page")

SCENARIO = Scenario(
    name="put-dirty-truncate",
    summary="put_user_pages_dirty() of a mapped file page beside truncate of that page",
    tasks=(
        Task("driver", store_then_dirty, (1, SHARED, 0)),
        Task("truncate", ext4_setattr, (FILE, 0)),
    ),
    initial={**file_mapped(), "truncates": (1,)},
    judges=("O2", "I1", "I3", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 pin with 1 store, 1 truncate",
    reach=(PINNED, TRUNCATED),
    misuse="the page is not locked, and nothing else keeps it in its file",
)
