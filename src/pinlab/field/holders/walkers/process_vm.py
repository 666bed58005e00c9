"""process_vm_readv and process_vm_writev in the middle of a copy. mm/process_vm_access.c.

The pages are on the caller's stack, or beyond 16 of them in memory that its stack points to; no
registry has them. A thread whose saved registers say that it is in one of these calls has its
kernel stack searched for both; on the running kernel only frames count that the other process
has there. What is found may be left over from an earlier call, so the claim is weak: it explains
pins that are there and never accuses. Counted nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import ReaderError
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import Task
from pinlab.field.holders.walker import Walker
from pinlab.field.machine import pagemap
from pinlab.field.memory.view import View

# arch/x86/entry/syscalls/syscall_64.tbl
CALLS: Final = {310: "process_vm_readv", 311: "process_vm_writev"}
THREAD_SIZE: Final = 16 << 10
"""Bytes of a kernel stack; arch/x86, without KASAN. The saved registers are at its end."""
PADDINGS: Final = (0, 16)
"""TOP_OF_KERNEL_STACK_PADDING behind the registers: 16 with CONFIG_X86_FRED."""
USER_CS: Final = 0x33
ON_STACK: Final = 16
"""PVM_MAX_PP_ARRAY_COUNT: pages up to which the array is on the stack."""
ARRAY: Final = 8 << 10
"""PVM_MAX_KMALLOC_PAGES pages: the largest array."""

MOST: Final = 1 << 32
"""Bytes of a range up to which its frames are looked up."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One weak claim per thread in such a call."""
    yield from kernel.each(kernel.processes.tasks, lambda task: _claim(kernel, task))


def _claim(kernel: Kernel, task: Task) -> Iterator[Claim]:
    if not task.files:
        return  # a kernel thread has no saved registers
    stack = kernel.at("task_struct", task.address)["stack"]
    registers = _registers(kernel, stack) if stack else None
    if registers is None:
        return
    name = CALLS[registers["orig_ax"]]
    words = np.frombuffer(kernel.reader.read(stack, THREAD_SIZE), np.uint64)
    pages = _arrays(kernel, words)
    if not len(pages):
        return
    remote, vector = registers["di"], registers["r10"]
    address, length = _range(kernel, task.tid, vector)
    pfns = np.unique(kernel.pfns(pages))
    if address is not None and length is not None and length <= MOST:
        pfns = _there(pfns, address, length, remote)
    owner = kernel.processes.thread(task.tid)
    yield Claim(
        WALKER.kind,
        f"{name} of process {remote}",
        () if owner is None else (owner,),
        Extents.of_pages(pfns),
        address=address,
        length=length,
        weak=True,
    )


def _registers(kernel: Kernel, stack: int) -> View | None:
    """What user space had in its registers, if it made one of these calls."""
    end = stack + THREAD_SIZE - kernel.structs.size("pt_regs")
    for padding in PADDINGS:
        registers = kernel.at("pt_regs", end - padding)
        if registers["orig_ax"] in CALLS and registers["cs"] == USER_CS:
            return registers
    return None


def _arrays(kernel: Kernel, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Pointers to struct pages on a stack, and in arrays that it points to."""
    found = [words[_is_page(kernel, words)]]
    start = np.uint64(kernel.reader.page_offset)
    in_memory = (words > start) & (words - start < np.uint64(1 << 46)) & (words % 8 == 0)
    candidates = np.unique(words[in_memory])
    rows, readable = kernel.reader.read_many(candidates, 8 * (ON_STACK + 1))
    heads = np.ascontiguousarray(rows).view(np.uint64)
    arrays = readable & _is_page(kernel, heads).all(axis=1)
    for address in candidates[arrays].tolist():
        # kmalloc gives memory that does not reach over its own size.
        entries = kernel.pointers(address, min(ARRAY, 4 * ARRAY - address % ARRAY) // 8, ARRAY)
        wrong = np.flatnonzero(~_is_page(kernel, entries))
        found.append(entries[: wrong[0] if len(wrong) else None])
    return np.unique(np.concatenate(found))


def _is_page(kernel: Kernel, words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    start = np.uint64(kernel.reader.vmemmap)
    size = np.uint64(kernel.structs.size("page"))
    end = np.uint64(max((each.end for each in kernel.reader.ranges()), default=0)) * size
    inside = words - start
    found: NDArray[np.bool_] = (words > start) & (inside < end) & (inside % size == 0)
    return found


def _range(kernel: Kernel, tid: int, vector: int) -> tuple[int | None, int | None]:
    """The first remote iovec, out of the caller's own memory; only of the running kernel."""
    if not kernel.own:
        return None, None
    try:
        with Path(f"/proc/{tid}/mem").open("rb", buffering=0) as memory:
            memory.seek(vector)
            address, length = struct.unpack("<QQ", memory.read(16))
    except (OSError, ValueError, struct.error):
        return None, None
    return address, length


def _there(pfns: NDArray[np.uint64], address: int, length: int, pid: int) -> NDArray[np.uint64]:
    """Those of the frames that the other process has in the range it is read from.

    What another call left on the same stack is so told from what this one holds. All of them
    where nothing is known of that process.
    """
    try:
        frames = pagemap.frames(address, length, pid)
    except ReaderError:
        return pfns
    return np.intersect1d(pfns, frames)


WALKER = Walker(
    "process_vm", "process_vm_readv/writev in mid-copy", walk, needs=("pt_regs", "task_struct")
)
