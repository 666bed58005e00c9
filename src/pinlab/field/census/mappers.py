"""Whose anonymous memory a folio is: process and address.

`folio->mapping` of anonymous memory is the `struct anon_vma` of the process that faulted it in;
its tree holds the mappings of that process and of all forked from it, any of which may map the
folio. The first whose range covers the folio's index is told: the parent, unless it unmapped it.
A folio that nobody maps has no mapper: its anon_vma may be another's by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from pinlab.field.errors import FaultError
from pinlab.field.memory.lists import entries, rbtree
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import Structs, View

MOST_MAPPINGS = 4096


@dataclass(frozen=True, slots=True)
class Mapper:
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

    def mapper(self, index: int) -> Mapper | None:
        """Who maps the page with this index, if it lies within."""
        address = self.start + (index - self.first) * PAGE_SIZE
        if self.start <= address < self.end:
            return Mapper(self.pid, self.command, address)
        return None


class Mappers:
    """Finds who maps; asks the kernel once per mapping and process."""

    def __init__(self, structs: Structs) -> None:
        self._structs = structs
        self._mappings: dict[int, tuple[Mapping, ...]] = {}
        self._processes: dict[int, tuple[int, str]] = {}
        self._listed: dict[int, View] | None = None

    def mapper(self, mapping: int, index: int) -> Mapper | None:
        """Who maps a folio, by its `mapping` and `index`; None if it cannot be found."""
        anon_vma = mapping & ~3
        if anon_vma not in self._mappings:
            self._mappings[anon_vma] = self._mappings_of(anon_vma)
        for each in self._mappings[anon_vma]:
            found = each.mapper(index)
            if found is not None:
                return found
        return None

    def of_file(self, root: int) -> tuple[Mapper, ...]:
        """Who maps a file, by the root of `i_mmap.rb_root` of its address_space: each process
        once, with the first address. Raises FaultError."""
        found: dict[int, Mapper] = {}
        for node in islice(rbtree(self._structs, root), MOST_MAPPINGS):
            vma = self._structs.entry(node, "vm_area_struct", "shared.rb")
            pid, command = self._process(vma["vm_mm"])
            start = vma["vm_start"]
            if pid not in found or start < found[pid].address:
                found[pid] = Mapper(pid, command, start)
        return tuple(found[pid] for pid in sorted(found))

    def _mappings_of(self, anon_vma: int) -> tuple[Mapping, ...]:
        structs = self._structs
        found: list[Mapping] = []
        try:
            root = structs.at("anon_vma", anon_vma)["rb_root.rb_root.rb_node"]
            for node in islice(rbtree(structs, root), MOST_MAPPINGS):
                vma = structs.entry(node, "anon_vma_chain", "rb").follow("vma")
                if vma is None:
                    continue
                pid, command = self._process(vma["vm_mm"])
                found.append(Mapping(vma["vm_start"], vma["vm_end"], vma["vm_pgoff"], pid, command))
        except FaultError:
            pass  # it changed while we walked: what was found by then is as good as before
        return tuple(sorted(found, key=lambda each: each.pid))

    def _process(self, mm: int) -> tuple[int, str]:
        if mm not in self._processes:
            task = self._task(mm)
            self._processes[mm] = (0, "") if task is None else (task["tgid"], task.text("comm"))
        return self._processes[mm]

    def _task(self, mm: int) -> View | None:
        structs = self._structs
        if structs.has("mm_struct", "owner"):  # CONFIG_MEMCG
            return structs.at("mm_struct", mm).follow("owner")
        if self._listed is None:
            first = structs.at("task_struct", structs.reader.task())
            others = entries(structs, first.where("tasks"), "task_struct", "tasks")
            self._listed = {task["mm"]: task for task in (first, *others)}
        return self._listed.get(mm)
