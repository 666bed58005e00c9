"""fsync-beside-truncate: a scenario of one's own, which any design or patch can be put beside.

`pinlab check bounce+./fsync_beside_truncate.py -s fsync-beside-truncate`
"""

from __future__ import annotations

from pinlab.lab.linux.tasks import fsync_only
from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task
from pinlab.lab.scenarios.words import state

FSYNC_BESIDE_TRUNCATE = Scenario(
    name="fsync-beside-truncate",
    summary="fsync of a mapped file page beside truncate of that page, nobody pins",
    tasks=(Task("fsync", fsync_only, (FILE,)), Task("truncate", ext4_setattr, (FILE, 0))),
    initial={**state("dirty+buffers rw").values, "truncates": (1,)},
    judges=("O2", "I1", "I3", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 fsync, 1 truncate",
    reach=(
        ReachFunction("fsync writes the page", "test_set_page_writeback"),
        ReachFunction("truncate finds the page", "truncate_inode_page"),
    ),
)
