"""Tasks, and the descriptors of their processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError
from pinlab.field.holders.access import Access
from pinlab.field.holders.claim import Owner
from pinlab.field.memory.view import View

SPARSE: Final = 1 << 13
"""Descriptors up to which a table is read whole. It has a power of two of them, 64 or more."""
TABLE: Final = 1 << 29
"""Descriptors of a table beyond which it is none; fs.nr_open is at most twice as many."""


@dataclass(frozen=True, slots=True)
class Task:
    """A thread."""

    address: int
    pid: int
    """The process's number (tgid)."""
    tid: int
    command: str
    files: int
    """Its files_struct, which threads mostly share; 0 for kernel threads that ended."""


class Processes:
    """The processes of a kernel that is being walked."""

    def __init__(self, kernel: Access) -> None:
        self._kernel = kernel

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every thread."""
        leaders: list[View] = []
        try:
            first = self._kernel.at("task_struct", self._kernel.reader.task())
            leaders.append(first.follow("group_leader") or first)
            (first,) = leaders
            leaders += self._kernel.entries(first.where("tasks"), "task_struct", "tasks")
        except FaultError:
            self._kernel.races += 1
        found: dict[int, Task] = {}
        for leader in leaders:
            self._kernel.reader.begin()
            try:
                for thread in self._threads(leader):
                    found[thread.address] = self._task(thread)
            except FaultError:
                self._kernel.races += 1
        return tuple(found.values())

    def _threads(self, leader: View) -> Iterator[View]:
        signal = leader.follow("signal")
        if signal is None or signal["nr_threads"] <= 1:
            yield leader
            return
        yield from self._kernel.entries(signal.where("thread_head"), "task_struct", "thread_node")

    def _task(self, task: View) -> Task:
        return Task(task.address, task["tgid"], task["pid"], task.text("comm"), task["files"])

    @cached_property
    def commands(self) -> dict[int, str]:
        """The name of each process."""
        return {task.pid: task.command for task in self.tasks if task.pid == task.tid}

    @cached_property
    def _threads_by_tid(self) -> dict[int, Task]:
        return {task.tid: task for task in reversed(self.tasks)}

    @cached_property
    def _tasks_by_address(self) -> dict[int, Task]:
        return {task.address: task for task in self.tasks}

    def thread(self, tid: int) -> Owner | None:
        """The process of a thread by its number; None if it is gone."""
        found = self._threads_by_tid.get(tid)
        return None if found is None else self._process(found)

    def _process(self, task: Task) -> Owner:
        return Owner(task.pid, self.commands.get(task.pid, task.command))

    def owner(self, task: int) -> tuple[Owner, ...]:
        """The process of a task_struct, as owners; none if it is gone."""
        found = self._tasks_by_address.get(task)
        return () if found is None else (self._process(found),)

    @cached_property
    def descriptors(self) -> dict[int, set[Owner]]:
        """Every `struct file` that a process has open by a descriptor, with who has it."""
        owners: dict[int, set[Owner]] = {}
        seen: set[int] = set()
        for task in self.tasks:
            if not task.files or task.files in seen:
                continue
            seen.add(task.files)
            try:
                self._kernel.reader.begin()
                descriptors = list(self._descriptors(task))
            except FaultError:
                self._kernel.races += 1
                continue
            command = self.commands.get(task.pid, task.command)
            by = "" if task.files == self._shared.get(task.pid) else f"thread {task.tid}"
            for fd, file in descriptors:
                owners.setdefault(file, set()).add(Owner(task.pid, command, fd, by))
        return owners

    @cached_property
    def _shared(self) -> dict[int, int]:
        """The descriptors of each process that /proc/PID/fd shows: those of its first thread."""
        return {task.pid: task.files for task in self.tasks if task.pid == task.tid}

    def _descriptors(self, task: Task) -> Iterator[tuple[int, int]]:
        """The descriptors of a task, each with its `struct file *`. Raises FaultError."""
        table = self._kernel.at("files_struct", task.files).follow("fdt")
        if table is None:
            return
        count = table["max_fds"]
        if count > SPARSE:  # somebody chose a high number: read what is used
            used = self._kernel.pointers(table["open_fds"], count // 64, TABLE // 64)
            starts = np.unique(np.flatnonzero(used) * 64 // SPARSE * SPARSE).tolist()
        else:
            starts = [0]
        for start in starts:
            size = min(SPARSE, count - start)
            pointers = self._kernel.pointers(table["fd"] + 8 * start, size, SPARSE)
            for fd in np.flatnonzero(pointers).tolist():
                # The kernel may keep flags in the low bits.
                yield start + fd, int(pointers[fd]) & ~7
        self._kernel.same(table, "fd", "max_fds")
