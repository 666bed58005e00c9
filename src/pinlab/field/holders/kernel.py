"""A kernel that is being walked: its structures, processes and file systems.

Everything is found from `Reader.task()`, some task: all others are on its list, their files hang
on them, and any file's super block is on the list of all. No data symbol of the kernel is
needed, as most kernels list only functions.
"""

from __future__ import annotations

from functools import cached_property

from pinlab.field.errors import FaultError
from pinlab.field.holders.access import Access
from pinlab.field.holders.files import Files
from pinlab.field.holders.processes import Processes
from pinlab.field.memory.reader import Reader
from pinlab.field.memory.view import View


class Kernel(Access):
    """What every walker is given."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.processes = Processes(self)
        self.files = Files(self, self.processes)

    @cached_property
    def super_blocks(self) -> tuple[tuple[str, View], ...]:
        """Every mounted file system with the name of its type, found from any open file."""
        for file in self.files.all:
            try:
                first = self.at("inode", file.inode).follow("i_sb") if file.inode else None
                if first is None:
                    continue
                rest = list(self.entries(first.where("s_list"), "super_block", "s_list"))
            except FaultError:
                self.races += 1
                continue
            named = ((self._file_system(each), each) for each in (first, *rest))
            return tuple((name, each) for name, each in named if name)
        return ()

    def _file_system(self, sb: View) -> str:
        """The type's name; empty for the list's head, which is no super block."""
        try:
            kind = sb.follow("s_type")
            name = "" if kind is None else self.text(kind["name"], 32)
        except FaultError:
            return ""
        return name if name.isascii() and name.isprintable() else ""
