"""Rings of asynchronous I/O (io_setup): plain references to their pages. fs/aio.c.

aio_setup_ring makes a ring of pages of a file of its own, maps it into the process, and keeps a
reference to each page until the ring is destroyed. Each address space has its rings in
mm->ioctx_table. Migration knows of that reference (aio_migrate_folio): such a page can be moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.view import View

RINGS: Final = 1 << 20
"""Rings beyond which a table is none. fs.aio-max-nr is 65536 events of all rings unless raised."""
PAGES: Final = (1 << 16) + 1
"""The most of a ring: 2^28 bytes of events (ioctx_alloc), and three more with the header."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per ring."""
    owners = _spaces(kernel)
    tables = kernel.pointers_at(owners, "mm_struct", "ioctx_table")

    def of_space(mm: int, address: int) -> Iterator[Claim]:
        table = kernel.at("kioctx_table", address)
        rings = kernel.pointers(table.where("table"), table["nr"], RINGS)
        for address in rings[rings > 0].tolist():
            claim = _claim(kernel, kernel.at("kioctx", address), tuple(sorted(owners[mm])))
            if claim is not None:
                yield claim

    used = [each for each in zip(owners, tables, strict=True) if each[1]]
    yield from kernel.each(used, lambda each: of_space(*each))


def _spaces(kernel: Kernel) -> dict[int, set[Owner]]:
    """The address spaces of processes, each with whose it is: after vfork of two."""
    owners: dict[int, set[Owner]] = {}
    commands = kernel.processes.commands

    tasks = kernel.processes.tasks
    spaces = kernel.pointers_at((task.address for task in tasks), "task_struct", "mm")
    for task, mm in zip(tasks, spaces, strict=True):
        if mm:  # a kernel thread has none
            owner = Owner(task.pid, commands.get(task.pid, task.command))
            owners.setdefault(mm, set()).add(owner)
    return owners


def _claim(kernel: Kernel, ring: View, owners: tuple[Owner, ...]) -> Claim | None:
    # 6.1 has pages, each of which is a folio of its own.
    path = "ring_folios" if ring.has("ring_folios") else "ring_pages"
    pages = kernel.pointers(ring[path], ring["nr_pages"], PAGES)
    kernel.same(ring, path, "nr_pages")
    pages = pages[pages > 0]  # aio_free_ring takes out what it puts
    if not len(pages):
        return None
    return Claim(
        WALKER.kind,
        f"ring {ring['id']}",
        owners,
        Extents.of_pages(kernel.pfns(pages)),
        references=True,
        address=ring["mmap_base"],  # as mremap left it (aio_ring_mremap)
        length=ring["mmap_size"],
    )


WALKER = Walker("aio", "rings of asynchronous I/O (io_setup)", walk, needs=("kioctx",))
