"""Direct I/O reads into a mapped page of a file while the file is written back by fsync."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pinlab.lab.linux.device import one_shot_device
from pinlab.lab.linux.direct_io import bio_check_pages_dirty, bio_dirty_fn
from pinlab.lab.linux.tasks import aio_read_and_verify, do_fsync
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.events import Event


def direct_io(program: Callable[..., Any], args: tuple[int, ...]) -> tuple[Task, ...]:
    """A program that reads by O_DIRECT, and all that works for it. `args` end with process,
    mapping and page."""
    return (
        Task("read", program, args),
        Task("device", one_shot_device, args[-3:], daemon=True),
        Task("irq", bio_check_pages_dirty, irq_of="read", daemon=True),
        Task("worker", bio_dirty_fn, daemon=True),
    )


PINNED_UNDER_WRITEBACK = ReachEvents(
    "writeback looks at a pinned page",
    (Event.PIN, Event.WRITEBACK_ATTEMPT),
    broken_by=(Event.UNPIN,),
)

SCENARIO = Scenario(
    name="direct-io-fsync",
    summary="O_DIRECT read into a mapped file page beside fsync of that file",
    tasks=(
        *direct_io(aio_read_and_verify, (FILE, 1, SHARED, 0)),
        Task("fsync", do_fsync, (FILE, 0)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I1", "I3", "I4", "I10", "I12", "I13"),
    bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 fsync, and 1 after the DMA",
    reach=(
        PINNED_UNDER_WRITEBACK,
        ReachEvents("the device stores after write-protection", (Event.MKCLEAN, Event.DEV_STORE)),
        ReachFunction("GUP takes the slow path", "follow_page_pte"),
    ),
)
