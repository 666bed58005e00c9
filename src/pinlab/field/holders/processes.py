"""Tasks and their open files, once each; which kind a file is, and who has it.

A kind of file is told by the function that releases it. A file that only a mapping, a message
in flight (SCM_RIGHTS) or a table of registered files keeps open is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError, LayoutError
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


@dataclass(frozen=True, slots=True)
class File:
    """An open file, once, with everybody who has it."""

    address: int
    operations: int
    private: int
    inode: int
    mapping: int
    owners: tuple[Owner, ...]


class Processes:
    """The processes of a kernel that is being walked."""

    def __init__(self, kernel: Access) -> None:
        self._kernel = kernel
        self._releases: dict[int, int] = {}

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

    def thread(self, tid: int) -> Owner | None:
        """The process of a thread by its number; None if it is gone."""
        found = next((each for each in self.tasks if each.tid == tid), None)
        return None if found is None else self._process(found)

    def _process(self, task: Task) -> Owner:
        return Owner(task.pid, self.commands.get(task.pid, task.command))

    def owner(self, task: int) -> tuple[Owner, ...]:
        """The process of a task_struct, as owners; none if it is gone."""
        found = next((each for each in self.tasks if each.address == task), None)
        return () if found is None else (self._process(found),)

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Every file that a process has open by a descriptor."""
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
            for fd, file in descriptors:
                owners.setdefault(file, set()).add(Owner(task.pid, command, fd))
        self._kernel.reader.begin()
        return self._read_files(owners)

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

    def _read_files(self, owners: dict[int, set[Owner]]) -> tuple[File, ...]:
        addresses = np.array(sorted(owners), np.uint64)
        if not len(addresses):
            return ()
        rows, readable = self._kernel.reader.read_many(addresses, self._kernel.structs.size("file"))
        self._kernel.races += int((~readable).sum())
        columns = [
            self._kernel.column(rows, "file", path).tolist()
            for path in ("f_op", "private_data", "f_inode", "f_mapping")
        ]
        return tuple(
            File(address, operations, private, inode, mapping, tuple(sorted(owners[address])))
            for address, ok, operations, private, inode, mapping in zip(
                addresses.tolist(), readable.tolist(), *columns, strict=True
            )
            if ok
        )

    def released_by(self, *names: str) -> Sequence[File]:
        """The open files whose kind is released by one of these functions.

        Raises LayoutError if the kernel's list of symbols has none of them.
        """
        wanted = {self._kernel.reader.symbol(name) for name in names} - {None}
        if not wanted:
            raise LayoutError(f"this kernel's symbols do not name {' or '.join(names)}")
        return [file for file in self.files if self._release(file.operations) in wanted]

    def _release(self, operations: int) -> int:
        if operations not in self._releases:
            try:
                self._releases[operations] = self._kernel.at("file_operations", operations)[
                    "release"
                ]
            except FaultError:
                self._kernel.races += 1
                self._releases[operations] = 0
        return self._releases[operations]

    def opened(self, mapping: int, processes: Iterable[Owner]) -> tuple[Owner, ...]:
        """Some processes with the descriptors by which they have one file; as they are if none."""
        pids = {owner.pid for owner in processes}
        files = [file.owners for file in self.files if file.mapping == mapping]
        found = {owner for owners in files for owner in owners if owner.pid in pids}
        return tuple(sorted(found or processes))

    def owners_of(self, file: int) -> tuple[Owner, ...]:
        """Who has a `struct file *` open."""
        return next((each.owners for each in self.files if each.address == file), ())
