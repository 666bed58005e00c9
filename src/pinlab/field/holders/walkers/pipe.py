"""Pages in pipes that are not the pipe's own: vmsplice and splice. fs/splice.c, fs/pipe.c.

Plain references, counted nowhere. A page of the pipe's own has no other owner and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.census.files import key_of
from pinlab.field.errors import FaultError
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import File
from pinlab.field.holders.walker import Walker

SLOTS: Final = 1 << 19
"""The most that F_SETPIPE_SZ gives: 2^31 bytes (round_pipe_size), a page a slot."""
STEALERS = {
    "user_page_pipe_buf_try_steal": "vmsplice",
    "page_cache_pipe_buf_try_steal": "splice",
}


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per pipe and sort of page."""
    seen: set[int] = set()
    sorts: dict[int, str] = {}

    def pipe(file: File) -> Iterator[Claim]:
        if file.private in seen:
            return
        found = _pages(kernel, file.private, sorts)
        seen.add(file.private)
        inode = key_of(kernel.at("inode", file.inode))
        for sort, pages in found.items():
            extents = Extents.of_pages(kernel.pfns(np.array(pages, np.uint64)))
            owners = tuple(sorted(set(ends[file.private])))
            yield Claim(WALKER.kind, sort, owners, extents, references=True, inode=inode)

    pipes = kernel.processes.released_by("pipe_release")
    ends: dict[int, list[Owner]] = {}
    for each in pipes:  # a pipe has two files, of anybody
        ends.setdefault(each.private, []).extend(each.owners)
    yield from kernel.each(pipes, pipe)


def _pages(kernel: Kernel, address: int, sorts: dict[int, str]) -> dict[str, list[int]]:
    """The pages of a pipe's used slots, by sort."""
    pipe = kernel.at("pipe_inode_info", address)
    head, tail, size = pipe["head"], pipe["tail"], pipe["ring_size"]
    used = head - tail & (1 << 8 * kernel.structs.place("pipe_inode_info", "head").size) - 1
    if size & size - 1 or used > size:
        raise FaultError(address, size)  # no pipe any more
    if not used:
        return {}
    rows = kernel.rows(pipe["bufs"], "pipe_buffer", size, SLOTS)
    kernel.same(pipe, "bufs", "ring_size")
    pages = kernel.column(rows, "pipe_buffer", "page").tolist()
    operations = kernel.column(rows, "pipe_buffer", "ops").tolist()
    found: dict[str, list[int]] = {}
    for slot in range(tail, tail + used):
        at = slot & (size - 1)
        if (ops := operations[at]) not in sorts and ops:
            sorts[ops] = _sort(kernel, ops)
        if ops and sorts[ops]:
            found.setdefault(sorts[ops], []).append(pages[at])
    return found


def _sort(kernel: Kernel, operations: int) -> str:
    stealer = kernel.at("pipe_buf_operations", operations)["try_steal"]
    return next((sort for name, sort in STEALERS.items() if kernel.is_function(stealer, name)), "")


WALKER = Walker(
    "pipe", "pages that vmsplice or splice put into pipes", walk, needs=("pipe_inode_info",)
)
