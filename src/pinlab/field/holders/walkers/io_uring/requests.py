"""Requests of a ring in flight that have a registered buffer, which may be in no table any more.

The kernel has no list of a ring's requests. Those that wait for a descriptor to be ready are in
`ctx->cancel_table`, those that a worker runs or will run are in the io_wq of the tasks that use
the ring; one in direct I/O is found from its bio, which has no pins itself (bio_iov_bvec_set).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.errors import FaultError
from pinlab.field.holders import bios
from pinlab.field.holders.kernel import Kernel
from pinlab.field.memory.view import View

COMPLETES: Final = ("io_complete_rw", "io_complete_rw_iopoll")
"""What ends a kiocb that is in an io_kiocb: io_uring/rw.c."""
BUCKETS: Final = 10
"""Bits of ctx->cancel_table's size, beyond which it is none: io_ring_ctx_alloc() has 8 at most."""
WAITING: Final = 1 << 16
"""Requests of a bucket or a queue, beyond which it is no list."""
HAS_NODE: Final = 1 << 36
"""REQ_F_BUF_NODE, where BTF does not say: 6.18."""


def buffers(kernel: Kernel, context: View) -> Iterator[View]:
    """The io_mapped_ubuf of each request that is found to have one."""
    if not kernel.has("io_kiocb", "buf_node"):
        return
    for request in kernel.as_far(_requests(kernel, context)):
        buffer = of_request(kernel, request)
        if buffer is not None:
            yield buffer


def of_request(kernel: Kernel, request: View) -> View | None:
    """The registered buffer of an io_kiocb, if it has one. Raises FaultError."""
    marked = kernel.reader.btf.enumerator("REQ_F_BUF_NODE") or HAS_NODE
    node = request.follow("buf_node") if request["flags"] & marked else None
    return None if node is None else node.follow("buf")


def of_bio(kernel: Kernel, bio: View) -> View | None:
    """The io_kiocb whose direct I/O a bio is of. Raises FaultError."""
    iocb = bios.iocb(kernel, bio)
    if not iocb or not kernel.is_function(kernel.at("kiocb", iocb)["ki_complete"], *COMPLETES):
        return None
    command = kernel.structs.entry(iocb, "io_rw", "kiocb")
    return kernel.structs.entry(command.address, "io_kiocb", "cmd")


def _requests(kernel: Kernel, context: View) -> Iterator[View]:
    yield from _waiting(kernel, context)
    for task in kernel.entries(context.where("tctx_list"), "io_tctx_node", "ctx_node"):
        used = task.behind("task").follow("io_uring")
        pool = None if used is None else used.follow("io_wq")
        if pool is not None:
            for request in _of_workers(kernel, pool):
                if request["ctx"] == context.address:
                    yield request


def _waiting(kernel: Kernel, context: View) -> Iterator[View]:
    """What waits to be ready: ctx->cancel_table, chains of io_kiocb.hash_node."""
    bits = context["cancel_table.hash_bits"]
    if bits > BUCKETS:
        raise FaultError(context.address, bits)
    rows = kernel.rows(context["cancel_table.hbs"], "io_hash_bucket", 1 << bits, most=1 << BUCKETS)
    for first in kernel.column(rows, "io_hash_bucket", "list.first").tolist():
        yield from _chain(kernel, first, "hash_node", "hash_node.next")


def _of_workers(kernel: Kernel, pool: View) -> Iterator[View]:
    """What the workers of an io_wq run, and what waits for one."""
    size = kernel.structs.size("io_wq_acct")
    whole = kernel.structs.place("io_wq", "acct").size
    for number in range(whole // size):
        acct = kernel.at("io_wq_acct", pool.where("acct") + number * size)
        for worker in kernel.entries(acct.where("all_list"), "io_worker", "all_list"):
            if worker["cur_work"]:
                yield kernel.structs.entry(worker["cur_work"], "io_kiocb", "work")
        yield from _chain(kernel, acct["work_list.first"], "work.list", "work.list.next")


def _chain(kernel: Kernel, first: int, path: str, after: str) -> Iterator[View]:
    """The io_kiocb whose field `path` begins at `first`, and so on."""
    for _ in range(WAITING):
        if not first:
            return
        request = kernel.structs.entry(first, "io_kiocb", path)
        yield request
        first = request[after]
    raise FaultError(first, 8)
