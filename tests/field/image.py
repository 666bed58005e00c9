"""A kernel's memory made by hand: structures set up field by field, and a reader over it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError
from pinlab.field.memory.reader import Chunk, PfnRange
from tests.field.c_types import btf_of
from tests.field.fake_reader import FakeReader

PAGE_OFFSET = 0xFFFF888000000000
VMEMMAP = 0xFFFFEA0000000000
TEXT = 0xFFFFFFFF81000000
PAGE_STRUCT = 64
FRAMES = 1 << 16

COMMON = """
struct list_head { struct list_head *next; struct list_head *prev; };
struct page { u64 words[8]; };
struct bio_vec { struct page *bv_page; unsigned int bv_len; unsigned int bv_offset; };
struct signal_struct { int nr_threads; struct list_head thread_head; u64 rlim[32]; };
struct cred { struct user_struct *user; };
struct task_struct {
    int flags; void *stack; struct list_head tasks; int pid; int tgid;
    struct task_struct *group_leader; struct list_head thread_node; char comm[16];
    struct files_struct *files; struct signal_struct *signal; struct mm_struct *mm;
    struct io_uring_task *io_uring; struct bio_list *bio_list;
    struct cred *real_cred;
};
struct fdtable { unsigned int max_fds; struct file **fd; };
struct files_struct { int count; struct fdtable *fdt; };
struct file_operations { void *owner; void *read; void *release; };
struct file {
    long f_ref; struct file_operations *f_op; void *f_mapping; void *private_data;
    struct inode *f_inode;
};
struct file_system_type { char *name; };
struct super_block {
    struct list_head s_list; struct file_system_type *s_type; void *s_fs_info;
    struct list_head s_inodes; unsigned int s_dev;
};
struct inode {
  struct super_block *i_sb; void *i_mapping; struct list_head i_sb_list;
  unsigned long i_ino;
};
"""


class Image(FakeReader):
    """Kernel memory: one stretch of it, and functions that are only addresses."""

    name = "core"
    frozen = True
    release = "synthetic"
    vmemmap = VMEMMAP
    page_offset = PAGE_OFFSET
    boot = ""

    def __init__(self, declarations: str, size: int = 1 << 20) -> None:
        self.btf = btf_of(COMMON + declarations)
        self._memory = bytearray(size)
        self._end = 64
        self._functions: dict[str, int] = {}
        self._operations: dict[str, int] = {}
        self._first_task = 0
        self._file_systems = 0

    # -- setting up ---------------------------------------------------------------------------

    def room(self, size: int) -> int:
        """The address of fresh zeroed memory."""
        address = PAGE_OFFSET + self._end
        self._end += -(-size // 64) * 64
        assert self._end <= len(self._memory)
        return address

    def poke(self, address: int, data: bytes) -> int:
        start = address - PAGE_OFFSET
        self._memory[start : start + len(data)] = data
        return address

    def new(self, type_name: str, /, spare: int = 0, **fields: int) -> int:
        """A structure with some fields set; `__` in a name stands for a dot."""
        address = self.room(self.btf.size(type_name) + spare)
        self.set(type_name, address, **fields)
        return address

    def set(self, type_name: str, address: int, /, **fields: int) -> None:
        for path, value in fields.items():
            member = self.btf.member(type_name, path.replace("__", "."))
            if member.bitfield:
                byte, shift = divmod(member.bit_offset, 8)
                at = address - PAGE_OFFSET + byte
                self._memory[at] |= value << shift
                continue
            data = (value & (1 << member.bits) - 1).to_bytes(member.size, "little")
            self.poke(address + member.offset, data)

    def where(self, type_name: str, address: int, path: str) -> int:
        return address + self.btf.offset(type_name, path)

    def pointers(self, values: Iterable[int]) -> int:
        """An array of pointers."""
        data = b"".join(struct.pack("<Q", value) for value in values)
        return self.poke(self.room(len(data) + 8), data)

    def text(self, value: str) -> int:
        return self.poke(self.room(len(value) + 1), value.encode() + b"\0")

    def chain(self, head: int, nodes: Sequence[int]) -> None:
        """A list_head and its entries, in a ring."""
        ring = [head, *nodes]
        for at, following in zip(ring, [*ring[1:], head], strict=True):
            self.poke(at, struct.pack("<Q", following))

    def bvecs(self, address: int, vectors: Iterable[tuple[int, int, int]]) -> int:
        """An array of bio_vec as (frame, bytes, offset)."""
        data = b"".join(struct.pack("<QII", page(pfn), *rest) for pfn, *rest in vectors)
        return self.poke(address, data)

    def function(self, name: str) -> int:
        return self._functions.setdefault(name, TEXT + 16 * len(self._functions))

    def file(self, release: str, private: int, **fields: int) -> int:
        """An open file of the kind that `release` releases."""
        if release not in self._operations:
            operations = self.new("file_operations", release=self.function(release))
            self._operations[release] = operations
        operations = self._operations[release]
        return self.new("file", f_op=operations, private_data=private, **fields)

    def process(self, pid: int, command: str, files: Sequence[int] = (), **fields: int) -> int:
        """A process of one thread; descriptors count from 3."""
        table = self.pointers([0, 0, 0, *files])
        fdtable = self.new("fdtable", max_fds=3 + len(files), fd=table)
        task = self.new("task_struct", pid=pid, tgid=pid, **fields)
        self.set("task_struct", task, group_leader=task)
        self.set("task_struct", task, files=self.new("files_struct", fdt=fdtable))
        self.set("task_struct", task, signal=self.new("signal_struct", nr_threads=1))
        self.poke(self.where("task_struct", task, "comm"), command.encode())
        node = self.where("task_struct", task, "tasks")
        if not self._first_task:
            self._first_task = task
            self.chain(node, [])
        else:
            first = self.where("task_struct", self._first_task, "tasks")
            others = list(self._ring(first))
            self.chain(first, [*others, node])
        return task

    def _ring(self, head: int) -> Iterator[int]:
        at = struct.unpack("<Q", self.read(head, 8))[0]
        while at != head:
            yield at
            at = struct.unpack("<Q", self.read(at, 8))[0]

    def file_system(self, name: str, **fields: int) -> int:
        """A mounted file system; the list of all has a head that is no super block."""
        kind = self.new("file_system_type", name=self.text(name))
        sb = self.new("super_block", s_type=kind, **fields)
        if not self._file_systems:
            self._file_systems = self.room(16)
            self.chain(self._file_systems, [])
        others = list(self._ring(self._file_systems))
        self.chain(self._file_systems, [*others, self.where("super_block", sb, "s_list")])
        return sb

    # -- the reader ---------------------------------------------------------------------------

    def read(self, address: int, size: int) -> bytes:
        start = address - PAGE_OFFSET
        if start < 64 or start + size > len(self._memory):
            raise FaultError(address, size)
        return bytes(self._memory[start : start + size])

    def symbol(self, name: str) -> int | None:
        return self._functions.get(name)

    def task(self) -> int:
        return self._first_task

    def counters(self) -> dict[str, int]:
        return {}

    def ranges(self) -> tuple[PfnRange, ...]:
        return (PfnRange(0, FRAMES),)

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        """None: an image has addresses of struct pages, but none of them is mapped."""
        return iter(())

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        raise FaultError(page(first), PAGE_STRUCT * count)


def page(pfn: int) -> int:
    """The address of a frame's struct page."""
    return VMEMMAP + PAGE_STRUCT * pfn
