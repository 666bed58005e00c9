"""The kernel's own pages that it maps into processes are no pins and no references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pinlab.field.census.result import rows_of
from pinlab.field.holders.attribution import attribute
from pinlab.field.holders.kernel import Kernel
from pinlab.field.machine import pagemap
from pinlab.field.memory.live import LiveReader
from tests.live.made import OWN, Program, running
from tests.live.programs import PAGE

pytestmark = pytest.mark.live


def of_packet(pid: int, _: LiveReader) -> NDArray[np.uint64]:
    """The frames of the mapping of a socket."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    (line,) = [line for line in lines if "socket:[" in line]
    start, end = (int(each, 16) for each in line.split()[0].split("-"))
    return pagemap.frames(start, end - start, pid)


def of_perf(pid: int, live: LiveReader) -> NDArray[np.uint64]:
    """The frames of an event's buffer, from kernel memory: they are mapped by number (VM_PFNMAP),
    which /proc/PID/pagemap does not show."""
    kernel = Kernel(live)
    files = kernel.files.released_by("perf_release")
    (event,) = [file.private for file in files if any(each.pid == pid for each in file.owners)]
    buffer = kernel.at("perf_event", event).behind("rb")
    pages = kernel.pointers(buffer.where("data_pages"), buffer["nr_pages"], most=8)
    return (np.append(pages, np.uint64(buffer["user_page"])) - np.uint64(live.page_offset)) // PAGE


FRAMES = {"packet": of_packet, "perf": of_perf}


@pytest.mark.parametrize("program", OWN, ids=lambda each: each.way)
def test_the_kernels_own_pages_in_a_process_are_none(live: LiveReader, program: Program) -> None:
    try:
        with running(program) as made:
            frames = FRAMES[program.way](made.pid, live)
            whole = attribute(live, references=True)
    except RuntimeError as error:
        pytest.skip(f"{program.what}: {error}")
    assert len(frames) == made.count and frames.all()
    _, listed = rows_of(whole.census.folios, frames)
    assert not listed.any()
    claimed = [share.claim.extents.each_frame() for share in whole.shares]
    assert not np.isin(frames, np.concatenate([*claimed, np.zeros(1, np.uint64)])).any()
