"""Whose anonymous memory a folio is: process and address.

`folio->mapping` of anonymous memory is the `struct anon_vma` of the process that faulted it in;
its tree holds the mappings of that process and of all forked from it, any of which may map the
folio. The first whose range covers the folio's index is told: the parent, unless it unmapped it.
A folio that nobody maps has no owner: its anon_vma may be another's by now.
"""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.field.errors import FaultError
from pinlab.field.readers.reader import PAGE_SIZE
from pinlab.field.walk import Walk

MOST_MAPPINGS = 4096


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that maps anonymous memory."""

    pid: int
    command: str
    address: int
    """Where it maps the folio."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A stretch of one process's addresses."""

    start: int
    end: int
    first: int
    """Index of its first page."""
    pid: int
    command: str

    def owner(self, index: int) -> Owner | None:
        """The owner of the page with this index, if it lies within."""
        address = self.start + (index - self.first) * PAGE_SIZE
        if self.start <= address < self.end:
            return Owner(self.pid, self.command, address)
        return None


class Owners:
    """Finds owners; asks the kernel once per mapping and process."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._mappings: dict[int, tuple[Mapping, ...]] = {}
        self._processes: dict[int, tuple[int, str]] = {}
        self._listed: dict[int, int] | None = None

    def owner(self, mapping: int, index: int) -> Owner | None:
        """The owner of a folio by its `mapping` and `index`; None if it cannot be found."""
        anon_vma = mapping & ~3
        if anon_vma not in self._mappings:
            self._mappings[anon_vma] = self._mappings_of(anon_vma)
        for each in self._mappings[anon_vma]:
            found = each.owner(index)
            if found is not None:
                return found
        return None

    def _mappings_of(self, anon_vma: int) -> tuple[Mapping, ...]:
        walk = self._walk
        found: list[Mapping] = []
        try:
            to_node, _ = walk.place("anon_vma_chain", "rb")
            root = walk.field(anon_vma, "anon_vma", "rb_root.rb_root.rb_node")
            for node in walk.rbtree(root, MOST_MAPPINGS):
                vma = walk.field(node - to_node, "anon_vma_chain", "vma")
                pid, command = self._process(walk.field(vma, "vm_area_struct", "vm_mm"))
                found.append(
                    Mapping(
                        walk.field(vma, "vm_area_struct", "vm_start"),
                        walk.field(vma, "vm_area_struct", "vm_end"),
                        walk.field(vma, "vm_area_struct", "vm_pgoff"),
                        pid,
                        command,
                    )
                )
        except FaultError:
            pass  # it changed while we walked: what was found by then is as good as before
        return tuple(sorted(found, key=lambda each: each.pid))

    def _process(self, mm: int) -> tuple[int, str]:
        if mm not in self._processes:
            walk = self._walk
            task = self._task(mm)
            self._processes[mm] = (
                (
                    walk.field(task, "task_struct", "tgid"),
                    walk.field_text(task, "task_struct", "comm"),
                )
                if task
                else (0, "")
            )
        return self._processes[mm]

    def _task(self, mm: int) -> int:
        walk = self._walk
        if walk.reader.btf.has("mm_struct", "owner"):  # CONFIG_MEMCG
            return walk.field(mm, "mm_struct", "owner")
        if self._listed is None:
            self._listed = {walk.field(task, "task_struct", "mm"): task for task in walk.tasks()}
        return self._listed.get(mm, 0)
