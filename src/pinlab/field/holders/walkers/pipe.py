"""Pages in pipes that are not the pipe's own: vmsplice and splice. fs/splice.c, fs/pipe.c.

Plain references, counted nowhere. A page of the pipe's own has no other owner and is left out.
A machine may have a hundred thousand pipes, mostly empty: they are read many at once, and only
the slots that are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import PIECE, File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker

SLOTS: Final = 1 << 19
"""The most that F_SETPIPE_SZ gives: 2^31 bytes (round_pipe_size), a page a slot."""
STEALERS = {
    "user_page_pipe_buf_try_steal": "vmsplice",
    "page_cache_pipe_buf_try_steal": "splice",
}


class _Rings(NamedTuple):
    """Pipes that are not empty, as columns."""

    address: NDArray[np.uint64]
    buffers: NDArray[np.uint64]
    size: NDArray[np.uint64]
    tail: NDArray[np.uint64]
    used: NDArray[np.uint64]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> _Rings:
        """Some of them."""
        return _Rings(*(column[rows] for column in self))


class _Pipe(NamedTuple):
    """The used slots of one pipe."""

    address: int
    pages: NDArray[np.uint64]
    operations: NDArray[np.uint64]


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per pipe and sort of page."""
    ends: dict[int, list[File]] = {}
    for file in kernel.files.released_by("pipe_release"):  # a pipe has two, of anybody
        ends.setdefault(file.private, []).append(file)
    sorts: dict[int, str] = {0: ""}

    def claims(pipe: _Pipe) -> Iterator[Claim]:
        for operations in set(pipe.operations.tolist()) - sorts.keys():
            sorts[operations] = _sort(kernel, operations)
        named = np.array([sorts[each] for each in pipe.operations.tolist()])
        found = {
            sort: Extents.of_pages(kernel.pfns(pipe.pages[named == sort]))
            for sort in STEALERS.values()
            if (named == sort).any()
        }
        if not found:
            return
        files = ends[pipe.address]
        owners = tuple(sorted({owner for file in files for owner in file.owners}))
        for sort, extents in found.items():
            yield Claim(WALKER.kind, sort, owners, extents, references=True, inode=files[0].inode)

    addresses = np.array(sorted(ends), np.uint64)
    pieces = np.array_split(addresses, len(addresses) // PIECE + 1)
    rings = kernel.each(pieces, lambda piece: _not_empty(kernel, piece))
    yield from kernel.each(kernel.each(rings, lambda some: _slots(kernel, some)), claims)


def _not_empty(kernel: Kernel, addresses: NDArray[np.uint64]) -> Iterator[_Rings]:
    """The pipes that have anything in them, so many at once as have no more than 2 * SLOTS."""
    rows, readable = kernel.many(addresses, "pipe_inode_info")
    buffers, size, head, tail = (
        kernel.column(rows, "pipe_inode_info", path)
        for path in ("bufs", "ring_size", "head", "tail")
    )
    bits = 8 * kernel.structs.place("pipe_inode_info", "head").size
    used = head - tail & np.uint64((1 << bits) - 1)
    credible = (size & size - np.uint64(1) == 0) & (used <= size) & (size <= SLOTS)
    kernel.races += int((~credible).sum())  # no pipes any more
    found = _Rings(addresses[readable], buffers, size, tail, used).take(credible & (used > 0))
    group = np.cumsum(found.used) // np.uint64(SLOTS)
    for rings in np.split(np.arange(len(group)), np.flatnonzero(np.diff(group)) + 1):
        if len(rings):
            yield found.take(rings)


def _slots(kernel: Kernel, rings: _Rings) -> Iterator[_Pipe]:
    """The used slots of some pipes."""
    used = rings.used.astype(np.intp)
    ends = np.cumsum(used)
    of = np.repeat(np.arange(len(used)), used)  # the pipe of each slot
    number = (np.arange(len(of)) - (ends - used)[of]).astype(np.uint64)
    slot = (rings.tail[of] + number) & (rings.size[of] - np.uint64(1))
    size = kernel.structs.size("pipe_buffer")
    addresses = (rings.buffers[of] + slot * np.uint64(size)).astype(np.uint64)
    rows, readable = kernel.reader.read_many(addresses, size)
    size = kernel.structs.size("pipe_inode_info")
    again, still = kernel.reader.read_many(rings.address, size)
    still &= kernel.column(again, "pipe_inode_info", "bufs") == rings.buffers
    still &= kernel.column(again, "pipe_inode_info", "ring_size") == rings.size
    still[of[~readable]] = False
    kernel.races += int((~still).sum())
    pages = np.split(kernel.column(rows, "pipe_buffer", "page"), ends[:-1])
    operations = np.split(kernel.column(rows, "pipe_buffer", "ops"), ends[:-1])
    for row in np.flatnonzero(still).tolist():
        yield _Pipe(int(rings.address[row]), pages[row], operations[row])


def _sort(kernel: Kernel, operations: int) -> str:
    stealer = kernel.at("pipe_buf_operations", operations)["try_steal"]
    return next((sort for name, sort in STEALERS.items() if kernel.is_function(stealer, name)), "")


WALKER = Walker(
    "pipe", "pages that vmsplice or splice put into pipes", walk, needs=("pipe_inode_info",)
)
