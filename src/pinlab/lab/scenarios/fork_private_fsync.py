"""A private mapping of the page, and fork, which copies it without the page lock."""

from __future__ import annotations

from pinlab.lab.linux.fork import dup_mmap
from pinlab.lab.linux.tasks import aio_read, fsync_forever
from pinlab.lab.linux.types import CHILD, FILE, PRIVATE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK, direct_io
from pinlab.lab.scenarios.layout import with_private
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task

SCENARIO = Scenario(
    name="fork-private-fsync",
    summary="O_DIRECT read beside endless fsyncs and a fork that copies a private mapping",
    tasks=(
        *direct_io(aio_read, (1, SHARED, 0)),
        Task("fsync", fsync_forever, (FILE, 1, SHARED, 0), daemon=True),
        Task("fork", dup_mmap, (1, 2, PRIVATE, CHILD, 0)),
    ),
    initial=with_private(),
    judges=("O1", "O2", "I10", "I12", "I13", "I13b"),
    bounds="1 page, 2 mappings and 1 more by fork, 1 DMA with 1 store, any number of fsyncs",
    reach=(PINNED_UNDER_WRITEBACK, ReachFunction("fork copies an entry", "copy_one_pte")),
)
