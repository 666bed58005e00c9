"""io_uring's rings: whose they are, and the files that they keep.

A ring may live without a descriptor: registered (IORING_REGISTER_RING_FDS), or kept by its
mapping. Every task that has used it has it in `task->io_uring->xa` (io_uring/tctx.c), which it
leaves only when it is freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pinlab.field.holders import trees
from pinlab.field.holders.access import Access
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.processes import Processes, Task
from pinlab.field.memory.view import View

FILES: Final = 1 << 20
"""IORING_MAX_FIXED_FILES, io_uring/rsrc.c."""
USED: Final = "a ring without descriptor"


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring with everybody who has it."""

    context: View
    """Its io_ring_ctx."""
    owners: tuple[Owner, ...]

    @property
    def locked_vm(self) -> tuple[Accounted, ...]:
        """Where what is counted against RLIMIT_MEMLOCK is: nowhere with CAP_IPC_LOCK."""
        return (Accounted.LOCKED_VM,) if self.context["user"] else ()


def used(kernel: Access, processes: Processes) -> dict[int, tuple[Owner, ...]]:
    """The rings that tasks have used and that still are: each io_ring_ctx, and who used it."""
    found: dict[int, set[Owner]] = {}
    if not kernel.has("task_struct", "io_uring"):
        return {}

    def of_task(task: Task, address: int) -> Iterator[tuple[int, Owner]]:
        owner = Owner(task.pid, processes.commands.get(task.pid, task.command), by=USED)
        used = kernel.at("io_uring_task", address)
        for node in trees.xarray(kernel, used.where("xa")):
            yield kernel.at("io_tctx_node", node)["ctx"], owner

    tasks = processes.tasks
    kernel.reader.begin()
    mine = kernel.pointers_at((task.address for task in tasks), "task_struct", "io_uring")
    users = [each for each in zip(tasks, mine, strict=True) if each[1]]
    for context, owner in kernel.each(users, lambda each: of_task(*each)):
        found.setdefault(context, set()).add(owner)
    return {context: tuple(sorted(owners)) for context, owners in found.items()}


def registered(kernel: Access, ring: Ring) -> list[int]:
    """The files in a ring's table (IORING_REGISTER_FILES): addresses of `struct file`.

    Raises FaultError.
    """
    context = ring.context
    if context.has("file_table.data"):  # 6.13 and newer
        nodes = kernel.pointers(
            context["file_table.data.nodes"], context["file_table.data.nr"], FILES
        )
        rows, _ = kernel.many(nodes[nodes != 0], "io_rsrc_node")
        files = kernel.column(rows, "io_rsrc_node", "file_ptr")
    elif context.has("file_table.files"):
        files = kernel.pointers(context["file_table.files"], context["nr_user_files"], FILES)
    else:
        return []
    # The lowest bits are flags (FFS_MASK, io_uring/filetable.h).
    found: list[int] = (files[files != 0] & ~np.uint64(7)).tolist()
    return found
