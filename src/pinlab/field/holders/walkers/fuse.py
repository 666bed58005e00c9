"""FUSE direct I/O: requests that wait, are being read, or are with the server. fs/fuse/.

fuse_conn (7.2: fuse_chan) -> iq.pending, bg_queue; each fuse_dev -> pq.io and the hash
pq.processing. Of a server that uses io_uring (6.14): ring -> queues, their waiting requests and
their entries. A request's args are in a fuse_args_pages if its pages are a user's. Counted
nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

FUSE_READ: Final = 15
FUSE_WRITE: Final = 16
HASH: Final = 256  # FUSE_PQ_HASH_SIZE, fs/fuse/fuse_i.h
QUEUES: Final = 8192
"""The most queues of a ring: one for each possible CPU, of which x86 has at most 8192."""
WAITING = ("fuse_req_queue", "fuse_req_bg_queue")
"""Lists of a ring's queue: requests that no entry has yet."""
TAKEN = ("ent_w_req_queue", "ent_in_userspace", "ent_commit_queue")
"""Lists of a ring's queue: entries on their way to the server, with it, and on their way back."""
PAGES: Final = 0xFFFF
"""The most pages of a request: fc->max_pages has 16 bits."""
SORTS = {FUSE_READ: "READ", FUSE_WRITE: "WRITE"}


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per request in flight."""
    seen: set[int] = set()

    def connection(sb: View) -> Iterator[Claim]:
        mount = sb.follow("s_fs_info", "fuse_mount")
        fc = None if mount is None else mount.follow("fc")
        if fc is None or fc.address in seen:
            return
        seen.add(fc.address)
        # 7.2 has the queues apart, in struct fuse_chan.
        queues = fc.follow("chan") if fc.has("chan") else fc
        requests = () if queues is None else _requests(kernel, queues)
        # A request that goes from one list to another while we look is met in both.
        for request in {each.address: each for each in requests}.values():
            claim = _claim(kernel, request)
            if claim is not None:
                yield claim

    mounts = [sb for name, sb in kernel.super_blocks if name in ("fuse", "fuseblk", "virtiofs")]
    yield from kernel.each(mounts, connection)


def _requests(kernel: Kernel, queues: View) -> Iterator[View]:
    for head in _lists(kernel, queues):
        yield from kernel.entries(head, "fuse_req", "list")
    for queue in _ring_queues(kernel, queues):
        for path in WAITING:
            yield from kernel.entries(queue.where(path), "fuse_req", "list")
        # An entry knows its request longer than any list does (fuse_uring_commit_fetch).
        for path in TAKEN:
            for entry in kernel.entries(queue.where(path), "fuse_ring_ent", "list"):
                request = entry.follow("fuse_req")
                if request is not None:
                    yield request


def _ring_queues(kernel: Kernel, queues: View) -> Iterator[View]:
    """fuse_uring_create, fuse_uring_create_queue: a queue is made when its CPU first has need."""
    ring = queues.follow("ring") if queues.has("ring") else None
    if ring is None:
        return
    for address in kernel.pointers(ring["queues"], ring["nr_queues"], QUEUES).tolist():
        if address:
            yield kernel.at("fuse_ring_queue", address)


def _lists(kernel: Kernel, queues: View) -> Iterator[int]:
    yield queues.where("iq.pending")
    yield queues.where("bg_queue")
    for device in kernel.entries(queues.where("devices"), "fuse_dev", "entry"):
        yield device.where("pq.io")
        table = device["pq.processing"]
        if table:
            yield from range(table, table + 16 * HASH, 16)


def _claim(kernel: Kernel, request: View) -> Claim | None:
    args = request.follow("args")
    if args is None or not args["user_pages"]:
        return None
    pinned = bool(args["is_pinned"]) if args.has("is_pinned") else None
    if pinned is False:
        return None  # a kernel's own pages, as a loop device's
    pages = kernel.structs.entry(args.address, "fuse_args_pages", "args")
    # 6.12 has both in a union, of the same shape; newer kernels have folios only.
    folios = "folios" if pages.has("folios") else "pages"
    count = pages["num_" + folios]
    descs = pages.target("descs")
    rows = kernel.rows(pages["descs"], descs, count, PAGES)
    offset, length = (kernel.column(rows, descs, path) for path in ("offset", "length"))
    inside = offset // np.uint64(PAGE_SIZE)
    end = (offset + length + np.uint64(PAGE_SIZE - 1)) // np.uint64(PAGE_SIZE)
    first = kernel.pfns(kernel.pointers(pages[folios], count, PAGES)) + inside
    return Claim(
        WALKER.kind,
        SORTS.get(args["opcode"], f"opcode {args['opcode']}"),
        _owners(kernel, request, pages),
        Extents.of_spans(first, end - inside),
        references=pinned is None,
        length=int(length.sum()),
    )


def _owners(kernel: Kernel, request: View, pages: View) -> tuple[Owner, ...]:
    """Who has the file by whose descriptor it was asked; else the process that asked."""
    # The kernel names the thread that asked, by its number in the server's pid namespace.
    asked = kernel.processes.thread(request["in.h.pid"])
    try:
        io = kernel.structs.entry(pages.address, "fuse_io_args", "ap").follow("io")
        iocb = None if io is None else io.follow("iocb")
        owners = () if iocb is None else kernel.files.owners_of(iocb["ki_filp"])
    except FaultError:
        owners = ()
    same = tuple(owner for owner in owners if asked is None or owner.pid == asked.pid)
    return same or (() if asked is None else (asked,))


WALKER = Walker("fuse", "direct I/O on FUSE files", walk, needs=("fuse_conn", "fuse_args_pages"))
