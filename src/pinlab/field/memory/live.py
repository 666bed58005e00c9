"""The memory of the running kernel, by BPF: no module, no /proc/kcore, no debug information.

A program of ten instructions copies kernel memory into a map with bpf_probe_read_kernel, which
faults on nothing, as often as BPF_PROG_TEST_RUN runs it. A megabyte takes 0.3 ms. Refused:
/dev/mem (not there under lockdown), kprobes (not in every kernel), libbpf and clang (not on every
machine).

Where memory begins differs at each boot (KASLR), so it is measured: a page of ours whose frame
number /proc tells is put into a pipe, and our own `struct task_struct` leads to the pipe's
pointer to its `struct page`. The symbol vmemmap_base is asked only if that fails: a kernel
without CONFIG_KALLSYMS_ALL does not list it, and reading /proc/kallsyms takes longer than a census.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError, ReaderError
from pinlab.field.layout.btf import Btf
from pinlab.field.machine import bpf
from pinlab.field.memory import ram
from pinlab.field.memory.chunking import CHUNK_BYTES, chunked
from pinlab.field.memory.reader import PAGE_SIZE, Chunk, PfnRange

_MANY = 256
_STRIDE = 256
"""`read_many` reads so many addresses in one run, so many bytes at most each."""

_GIGABYTE = 1 << 30
_libc = ctypes.CDLL(None, use_errno=True)


class LiveReader:
    """The running kernel. Not for two threads at once: all calls share one buffer."""

    name = "live"
    frozen = False

    def __init__(self, btf: Btf | None = None) -> None:
        """Load the programs. Raises ReaderError, LayoutError."""
        self._open = False
        if platform.machine() != "x86_64":
            raise ReaderError(f"only x86-64 kernels are known, this is {platform.machine()}")
        self.release = platform.release()
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self.btf = btf or Btf.of_file()
        self._page_bytes = self.btf.size("page")
        self._symbols: bytes | None = None
        self._vmemmap: int | None = None
        self._page_offset: int | None = None
        try:
            self._load()
        except OSError as error:
            raise ReaderError(_why_refused(error)) from None
        try:
            _ = self.vmemmap
        except ReaderError:
            self.close()
            raise

    def _load(self) -> None:
        resources: list[bpf.ArrayMap | bpf.Program] = []
        try:
            bulk = bpf.ArrayMap(CHUNK_BYTES)
            resources.append(bulk)
            many = bpf.ArrayMap(_MANY * (_STRIDE + 16))
            resources.append(many)
            for code in (_copy(bulk.fd), _copy_many(many.fd), _current_task(bulk.fd)):
                resources.append(bpf.Program(code))
        except OSError:
            for resource in resources:
                resource.close()
            raise
        self._resources = resources
        _, _, copy, copy_many, current = resources
        assert isinstance(copy, bpf.Program) and isinstance(copy_many, bpf.Program)
        assert isinstance(current, bpf.Program)
        self._copy, self._copy_many, self._current = copy, copy_many, current
        self._bulk = np.frombuffer(bulk.memory, dtype=np.uint8)
        self._many = np.frombuffer(many.memory, dtype=np.uint8)
        self._open = True

    # -- memory -------------------------------------------------------------------------------

    def _fill(self, address: int, size: int) -> bool:
        """Copy `size` <= CHUNK_BYTES bytes to the front of `_bulk`; whether all were mapped."""
        if not self._open:
            raise ReaderError("this reader was closed")
        return self._copy.run(address & 0xFFFFFFFFFFFFFFFF, size) == 0

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of kernel memory. Raises FaultError."""
        parts = []
        for start in range(0, size, CHUNK_BYTES):
            step = min(CHUNK_BYTES, size - start)
            if not self._fill(address + start, step):
                raise FaultError(address, size)
            parts.append(self._bulk[:step].tobytes())
        return b"".join(parts)

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """`size` bytes at each address: shape (addresses, size), and which could be read."""
        data = np.zeros((len(addresses), size), np.uint8)
        good = np.zeros(len(addresses), np.bool_)
        if size > _STRIDE:
            for i, address in enumerate(addresses.tolist()):
                if self._fill(address, size):
                    data[i] = self._bulk[:size]
                    good[i] = True
            return data, good
        if not self._open:
            raise ReaderError("this reader was closed")
        wanted = self._many[: 8 * _MANY].view(np.uint64)
        status = self._many[8 * _MANY : 16 * _MANY].view(np.int64)
        values = self._many[16 * _MANY :].reshape(_MANY, _STRIDE)
        for start in range(0, len(addresses), _MANY):
            count = min(_MANY, len(addresses) - start)
            wanted[:count] = addresses[start : start + count]
            self._copy_many.run(count, size)
            good[start : start + count] = status[:count] == 0
            data[start : start + count] = values[:count, :size]
        data[~good] = 0
        return data, good

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        """A copy of `count` struct pages from frame `first`. Raises FaultError."""
        data = self.read(self.vmemmap + first * self._page_bytes, count * self._page_bytes)
        return np.frombuffer(data, np.uint64).reshape(count, -1)

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        """The struct pages of `ranges`; each chunk is overwritten by the next read."""
        return chunked(ranges, self._page_bytes, self._get)

    def _get(self, first: int, end: int) -> NDArray[np.uint64] | None:
        size = (end - first) * self._page_bytes
        if not self._fill(self.vmemmap + first * self._page_bytes, size):
            return None
        return self._bulk[:size].view(np.uint64).reshape(end - first, -1)

    # -- places -------------------------------------------------------------------------------

    @property
    def vmemmap(self) -> int:
        """Address of the struct page of frame 0. Raises ReaderError."""
        if self._vmemmap is None:
            self._vmemmap = self._found(self._measure_vmemmap, "vmemmap_base")
        return self._vmemmap

    @property
    def page_offset(self) -> int:
        """Address at which the kernel maps frame 0. Raises ReaderError."""
        if self._page_offset is None:
            self._page_offset = self._found(self._measure_page_offset, "page_offset_base")
        return self._page_offset

    def _found(self, measure: Callable[[], int], symbol: str) -> int:
        """What `measure` says, else what the symbol holds: listing symbols takes 0.2 s."""
        try:
            return measure()
        except ReaderError:
            address = self.symbol(symbol)
            if address is None:
                raise
            return self.pointer(address)

    def pointer(self, address: int) -> int:
        """The word of 8 bytes at an address. Raises FaultError."""
        return int(struct.unpack("<Q", self.read(address, 8))[0])

    def _measure_vmemmap(self) -> int:
        offset = self.btf.offset
        with _Sample() as sample:
            files = self.pointer(self._this_task() + offset("task_struct", "files"))
            table = self.pointer(files + offset("files_struct", "fdt"))
            descriptors = self.pointer(table + offset("fdtable", "fd"))
            file = self.pointer(descriptors + 8 * sample.pipe)
            pipe = self.pointer(file + offset("file", "private_data"))
            buffers = self.pointer(pipe + offset("pipe_inode_info", "bufs"))
            page = self.pointer(buffers + offset("pipe_buffer", "page"))
            base = page - sample.pfn * self._page_bytes
        if base % _GIGABYTE or not _is_kernel(base):
            raise ReaderError(
                "the kernel's array of struct page was not found: neither is the symbol "
                "vmemmap_base listed, nor does a page of our own lead there"
            )
        return base

    def _measure_page_offset(self) -> int:
        with _Sample() as sample:
            highest = max(each.end for each in self.ranges())
            near = self._this_task() // _GIGABYTE * _GIGABYTE
            for gigabytes in range(highest * PAGE_SIZE // _GIGABYTE + 1):
                base = near - gigabytes * _GIGABYTE
                if self._fill(base + sample.pfn * PAGE_SIZE, len(sample.content)) and (
                    self._bulk[: len(sample.content)].tobytes() == sample.content
                ):
                    return base
        raise ReaderError(
            "the kernel's map of all memory was not found: neither is the symbol "
            "page_offset_base listed, nor is a page of our own found in it"
        )

    def symbol(self, name: str) -> int | None:
        """The address of a kernel symbol, or None."""
        if self._symbols is None:
            self._symbols = _kallsyms()
        return address_of(name, self._symbols)

    def _this_task(self) -> int:
        self._current.run()
        return int(self._bulk[:8].view(np.uint64)[0])

    def task(self) -> int:
        """The address of our own process's first task."""
        return self.pointer(self._this_task() + self.btf.offset("task_struct", "group_leader"))

    def ranges(self) -> tuple[PfnRange, ...]:
        """The frames that are present, ascending."""
        return ram.of_this_machine()

    def counters(self) -> dict[str, int]:
        """The counters of /proc/vmstat, settled by vm.stat_refresh where that is allowed."""
        with (
            suppress(OSError),  # then the counters may lag by some per CPU
            open("/proc/sys/vm/stat_refresh", "wb", buffering=0) as refresh,
        ):
            refresh.write(b"1\n")
        with open("/proc/vmstat", encoding="ascii") as lines:
            return {name: int(value) for name, value in map(str.split, lines)}

    # -- end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Unload the programs and their maps."""
        if self._open:
            self._open = False
            for resource in reversed(self._resources):
                resource.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _copy(fd: int) -> bytes:
    """Context: address, size. Copies to the map; returns 0, or an error, or 1 if too long."""
    return (
        bpf.load(bpf.R3, bpf.R1, 0)
        + bpf.load(bpf.R2, bpf.R1, 8)
        + bpf.jump_greater(bpf.R2, CHUNK_BYTES, 4)
        + bpf.map_value(bpf.R1, fd)
        + bpf.call(bpf.PROBE_READ_KERNEL)
        + bpf.EXIT
        + bpf.mov_imm(bpf.R0, 1)
        + bpf.EXIT
    )


def _copy_many(fd: int) -> bytes:
    """Context: count, size. The map holds addresses, then a status each, then _STRIDE bytes each.

    r6 size, r7 count, r8 index, r9 place in the map of the address.
    """
    body = (
        bpf.mov(bpf.R9, bpf.R8)
        + bpf.multiply_imm(bpf.R9, 8)
        + bpf.map_value(bpf.R1, fd)
        + bpf.add(bpf.R9, bpf.R1)
        + bpf.load(bpf.R3, bpf.R9, 0)
        + bpf.mov(bpf.R2, bpf.R8)
        + bpf.multiply_imm(bpf.R2, _STRIDE)
        + bpf.map_value(bpf.R1, fd, 16 * _MANY)
        + bpf.add(bpf.R1, bpf.R2)
        + bpf.mov(bpf.R2, bpf.R6)
        + bpf.call(bpf.PROBE_READ_KERNEL)
        + bpf.store(bpf.R9, bpf.R0, 8 * _MANY)
        + bpf.add_imm(bpf.R8, 1)
        + bpf.jump_greater(bpf.R8, _MANY - 1, 1)
    )
    back = -(len(body) // 8 + 1)
    head = bpf.load(bpf.R7, bpf.R1, 0) + bpf.load(bpf.R6, bpf.R1, 8) + bpf.mov_imm(bpf.R8, 0)
    loop = body + bpf.jump_less(bpf.R8, bpf.R7, back)
    leave = bpf.mov_imm(bpf.R0, 0) + bpf.EXIT
    return head + bpf.jump_greater(bpf.R6, _STRIDE, len(loop) // 8) + loop + leave


def _current_task(fd: int) -> bytes:
    """Writes the address of the task that runs it to the front of the map."""
    return (
        bpf.call(bpf.GET_CURRENT_TASK)
        + bpf.map_value(bpf.R1, fd)
        + bpf.store(bpf.R1, bpf.R0, 0)
        + bpf.mov_imm(bpf.R0, 0)
        + bpf.EXIT
    )


class _Sample:
    """A page of ours with known content and frame number, which is also in a pipe."""

    def __init__(self) -> None:
        self.content = os.urandom(PAGE_SIZE)

    def __enter__(self) -> _Sample:
        self._memory = mmap.mmap(-1, PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory[:] = self.content
        self.pipe, self._in = os.pipe()
        try:
            anchor = ctypes.c_char.from_buffer(self._memory)
            address = ctypes.addressof(anchor)
            del anchor
            vector = (ctypes.c_size_t * 2)(address, PAGE_SIZE)
            if _libc.vmsplice(self._in, vector, 1, 0) != PAGE_SIZE:
                raise ReaderError("a page of our own could not be put into a pipe by vmsplice")
            self.pfn = _own_pfn(address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pipe)
        os.close(self._in)
        self._memory.close()


def _own_pfn(address: int) -> int:
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        entry = int.from_bytes(os.pread(pagemap.fileno(), 8, address // PAGE_SIZE * 8), "little")
    pfn = entry & ((1 << 55) - 1)
    if not pfn:
        raise ReaderError(
            "/proc/self/pagemap does not tell frame numbers: CAP_SYS_ADMIN is missing"
        )
    return pfn


def _is_kernel(address: int) -> bool:
    """Whether an address is in the upper half, with page tables of 4 levels or of 5."""
    return address >> 47 == (1 << 17) - 1 or address >> 56 == (1 << 8) - 1


def _kallsyms() -> bytes:
    """The table of symbols, some 100,000 lines; empty if it cannot be read."""
    try:
        with open("/proc/kallsyms", "rb") as file:
            return file.read()
    except OSError:
        return b""


def address_of(name: str, table: bytes) -> int | None:
    """The address of a symbol of the kernel proper in a table like /proc/kallsyms. None if it has
    none, if several have the name, or where addresses are hidden (kernel.kptr_restrict)."""
    end = b" %s\n" % name.encode()  # behind a symbol of a module stands [module]
    found: set[int] = set()
    at = table.find(end)
    while at >= 0:
        line = table[table.rfind(b"\n", 0, at) + 1 : at]
        found.add(int(line.split()[0], 16))
        at = table.find(end, at + 1)
    return found.pop() or None if len(found) == 1 else None


def _why_refused(error: OSError) -> str:
    """One sentence about a program or map that the kernel did not take."""
    if error.errno == errno.ENOSYS:
        return "this kernel has no bpf(2): it was built without CONFIG_BPF_SYSCALL"
    lockdown = _lockdown()
    if lockdown == "confidentiality":
        return "the kernel is locked down (confidentiality), so nobody may read its memory"
    if error.errno in (errno.EPERM, errno.EACCES) and not _capable():
        return (
            "reading kernel memory needs root, or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; "
            "this process lacks them"
        )
    return f"the kernel refused the BPF program that would read its memory: {error.strerror}"


def _lockdown() -> str:
    try:
        with open("/sys/kernel/security/lockdown", encoding="ascii") as file:
            text = file.read()
    except OSError:
        return ""
    return text.partition("[")[2].partition("]")[0]


_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}


def _capable() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("CapEff:"):
                effective = int(line.split()[1], 16)
                return all(effective >> bit & 1 for bit in _CAPABILITIES.values())
    return False
