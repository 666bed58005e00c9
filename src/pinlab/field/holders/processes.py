"""Tasks and their open files, once each; which kind a file is, and who has it.

A kind of file is told by the function that releases it. A file that only a mapping, a message
in flight (SCM_RIGHTS) or a table of registered files keeps open is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.holders.access import Access
from pinlab.field.holders.claim import Owner
from pinlab.field.memory.view import View

SPARSE: Final = 1 << 13
"""Descriptors up to which a table is read whole. It has a power of two of them, 64 or more."""
TABLE: Final = 1 << 29
"""Descriptors of a table beyond which it is none; fs.nr_open is at most twice as many."""
PIECE: Final = 1 << 14
"""Structures that are read at once."""


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
        addresses = np.array(sorted(owners), np.uint64)
        found: list[File] = []
        for piece in np.array_split(addresses, len(addresses) // PIECE + 1):
            self._kernel.reader.begin()
            try:
                found += self._read_files(piece, owners)
            except FaultError:
                self._kernel.races += 1
        return tuple(found)

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

    def _read_files(
        self, addresses: NDArray[np.uint64], owners: dict[int, set[Owner]]
    ) -> Iterator[File]:
        rows, readable = self._kernel.many(addresses, "file")
        operations, private, inode, mapping = (
            self._kernel.column(rows, "file", path).tolist()
            for path in ("f_op", "private_data", "f_inode", "f_mapping")
        )
        at = addresses[readable].tolist()
        for each in zip(at, operations, private, inode, mapping, strict=True):
            yield File(*each, tuple(sorted(owners[each[0]])))

    def released_by(self, *names: str) -> Sequence[File]:
        """The open files whose kind is released by one of these functions.

        Raises LayoutError if the kernel's list of symbols has none of them.
        """
        wanted = {self._kernel.reader.symbol(name) for name in names} - {None}
        if not wanted:
            raise LayoutError(f"this kernel's symbols do not name {' or '.join(names)}")
        kinds = self._files_by_operations.items()
        return [file for kind, files in kinds if self._release(kind) in wanted for file in files]

    @cached_property
    def _files_by_operations(self) -> dict[int, list[File]]:
        return _grouped(self.files, lambda file: file.operations)

    @cached_property
    def _files_by_mapping(self) -> dict[int, list[File]]:
        return _grouped(self.files, lambda file: file.mapping)

    @cached_property
    def _files_by_address(self) -> dict[int, File]:
        return {file.address: file for file in self.files}

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
        files = self._files_by_mapping.get(mapping, ())
        found = {owner for file in files for owner in file.owners if owner.pid in pids}
        return tuple(sorted(found or processes))

    def owners_of(self, file: int) -> tuple[Owner, ...]:
        """Who has a `struct file *` open."""
        found = self._files_by_address.get(file)
        return () if found is None else found.owners


def _grouped(files: Iterable[File], key: Callable[[File], int]) -> dict[int, list[File]]:
    found: dict[int, list[File]] = {}
    for file in files:
        found.setdefault(key(file), []).append(file)
    return found
