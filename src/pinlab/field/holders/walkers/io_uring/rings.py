"""Which rings there are, and whose: by descriptor, and by the tasks that have used them.

A ring may live without a descriptor: registered (IORING_REGISTER_RING_FDS), kept by its mapping,
or in flight. Every task that used it has it in `task->io_uring->xa` (io_uring/tctx.c), which it
leaves only when it is freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pinlab.field.holders import trees
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import Task
from pinlab.field.memory.view import View


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


def rings(kernel: Kernel) -> Iterator[Ring]:
    """Every ring once. Raises LayoutError if the kernel's symbols do not name its descriptors."""
    owners: dict[int, set[Owner]] = {}
    for file in kernel.processes.released_by("io_uring_release"):
        owners.setdefault(file.private, set()).update(file.owners)
    undescribed: dict[int, set[Owner]] = {}
    for context, owner in kernel.each(kernel.processes.tasks, lambda task: _used(kernel, task)):
        if context not in owners:
            undescribed.setdefault(context, set()).add(owner)
    for context, of_ring in (owners | undescribed).items():
        yield Ring(kernel.at("io_ring_ctx", context), tuple(sorted(of_ring)))


def _used(kernel: Kernel, task: Task) -> Iterator[tuple[int, Owner]]:
    """The rings that a task has used and that still are, each with its process."""
    view = kernel.at("task_struct", task.address)
    used = view.follow("io_uring") if view.has("io_uring") else None
    if used is None:
        return
    owner = kernel.processes.owner(task.address)[0]
    for node in trees.xarray(kernel, used.where("xa")):
        yield kernel.at("io_tctx_node", node)["ctx"], owner
