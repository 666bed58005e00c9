"""What is counted against a user's RLIMIT_MEMLOCK, thing by thing, beside the kernel's own sum.

`user_struct.locked_vm` is one number for all processes of a user: registered buffers and memory
of rings, umems, buffers of perf, zero-copy sends. Whoever has CAP_IPC_LOCK is not counted. What
mlock() locks is counted elsewhere (VmLck, of each process).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pinlab.field.holders import bios
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.files import File
from pinlab.field.holders.frames import folios_of
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import Task
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.sockets import Socket, counted_send, queued, shared, sockets
from pinlab.field.holders.walkers import af_xdp
from pinlab.field.holders.walkers.io_uring import buffers, regions, requests
from pinlab.field.memory.reader import Reader
from pinlab.field.memory.view import View

TRIES: Final = 15
PAUSE: Final = 0.01
"""Seconds between two tries."""
MEMLOCK: Final = 8
"""RLIMIT_MEMLOCK, asm-generic/resource.h."""


RING: Final = "io_ring_ctx"


@dataclass(frozen=True, slots=True)
class Charge:
    """Something that is counted."""

    kind: str
    detail: str
    owners: tuple[Owner, ...]
    user: int
    """The user_struct that it is counted in."""
    pages: int


@dataclass(frozen=True, slots=True)
class Memlock:
    """What a user has locked, as we found it and as the kernel counts it."""

    uid: int
    charges: tuple[Charge, ...]
    counted: int
    """Pages, by the kernel."""
    limit: int | None
    """Bytes: the least soft limit of the user's processes; None if there are none."""
    mlocked: int
    """Pages that the limit holds beside these, of each process by itself: the sum of all VmLck."""
    settled: bool
    """Whether the kernel's sum was the same before and after we looked, and nothing went away."""
    races: int

    @property
    def found(self) -> int:
        """Pages."""
        return sum(charge.pages for charge in self.charges)


def memlock(reader: Reader, uid: int) -> Memlock:
    """What a user has locked. Looked at again while it differs from the kernel's sum."""
    for _ in range(TRIES):
        found = _once(reader, uid)
        if reader.frozen or (found.settled and found.found == found.counted):
            break
        time.sleep(PAUSE)
    return found


def _once(reader: Reader, uid: int) -> Memlock:
    kernel = Kernel(reader)
    tasks = kernel.processes.tasks
    own = list(kernel.each(tasks, lambda task: _of_task(kernel, task, uid)))
    before = _counted(kernel, {each.user for each in own})
    charges = tuple(charge for charge in _charges(kernel) if _is(kernel, charge.user, uid))
    users = {each.user for each in own} | {charge.user for charge in charges}
    after = _counted(kernel, users)
    least = min((each.limit for each in own if each.limit is not None), default=None)
    mlocked = sum(kernel.each({each.memory for each in own}, lambda mm: _mlocked(kernel, mm)))
    same = all(after.get(user) == pages for user, pages in before.items())
    settled = same and not kernel.races
    return Memlock(uid, charges, sum(after.values()), least, mlocked, settled, kernel.races)


@dataclass(frozen=True, slots=True)
class _Own:
    """A task of a user."""

    user: int
    """Its user_struct."""
    memory: int
    """Its mm_struct, which threads share; 0 of a kernel thread."""
    limit: int | None
    """The soft limit; a kernel thread's limits nobody."""


def _of_task(kernel: Kernel, task: Task, uid: int) -> Iterator[_Own]:
    """A task, if it is one of a user."""
    view = kernel.at("task_struct", task.address)
    user = view.behind("real_cred")["user"]
    if kernel.at("user_struct", user)["uid"] == uid:
        yield _Own(user, view["mm"], _limit(view) if view["mm"] else None)


def _mlocked(kernel: Kernel, memory: int) -> Iterator[int]:
    """The pages that a process has by mlock(), and by vfio: account_locked_vm()."""
    if memory:
        yield kernel.at("mm_struct", memory)["locked_vm"]


def _is(kernel: Kernel, user: int, uid: int) -> bool:
    """Whether a user_struct is of a user; if it is gone, not."""
    uids = kernel.each((user,), lambda each: (kernel.at("user_struct", each)["uid"],))
    return next(uids, None) == uid


def _counted(kernel: Kernel, users: Iterable[int]) -> dict[int, int]:
    """The pages that each user_struct counts."""

    def counted(user: int) -> Iterator[tuple[int, int]]:
        yield user, kernel.at("user_struct", user)["locked_vm"]

    return dict(kernel.each(users, counted))


def _limit(task: View) -> int:
    """The soft RLIMIT_MEMLOCK of a process, in bytes."""
    signal = task.behind("signal")
    structs = signal.structs
    at = signal.where("rlim") + MEMLOCK * structs.size("rlimit")
    return structs.at("rlimit", at)["rlim_cur"]


def _charges(kernel: Kernel) -> Iterator[Charge]:
    """Everything that is counted in some user's locked_vm, once."""
    seen: set[int] = set()
    counted: dict[int, set[int]] = {}
    files = kernel.files

    def once(charge: Charge | None, thing: int) -> Iterator[Charge]:
        if charge is not None and charge.user and charge.pages and thing not in seen:
            seen.add(thing)
            yield charge

    def of_ring(ring: Ring) -> Iterator[Charge]:
        whole = counted.setdefault(ring.context.address, set())
        for charge, thing in (*_buffers(kernel, ring, whole), *_regions(kernel, ring)):
            yield from once(charge, thing)

    rings = {ring.context.address: ring for ring in files.rings} if kernel.has(RING) else {}

    def of_bio(bio: View, _: bios.InFlight) -> Iterator[Charge]:
        """What only direct I/O still has: a buffer that is in no table, a ring of nobody."""
        request = requests.of_bio(kernel, bio)
        context = None if request is None else request.follow("ctx")
        if request is None or context is None:
            return
        if context.address not in rings:
            rings[context.address] = Ring(context, ())
            yield from of_ring(rings[context.address])
        buffer = requests.of_request(kernel, request)
        if buffer is not None:
            ring = rings[context.address]
            whole = counted[context.address]
            charge = _buffer(kernel, ring, buffers.OF_REQUEST, buffer, whole)
            yield from once(charge, buffer.address)

    def of_file(file: File) -> Iterator[Charge]:
        yield from once(*_perf(kernel, file))

    def of_socket(socket: Socket) -> Iterator[Charge]:
        yield from once(*_umem(kernel, socket))
        for charge, thing in _sends(kernel, socket):
            yield from once(charge, thing)

    yield from kernel.each(tuple(rings.values()), of_ring)
    if rings and kernel.has("io_kiocb", "buf_node"):
        yield from bios.each(kernel, of_bio)
    if kernel.has("perf_buffer"):
        yield from kernel.each(files.released_by("perf_release"), of_file)
    owners = {file.private: file.owners for file in files.released_by("sock_close")}
    yield from kernel.each(sockets(kernel, owners), of_socket)


def _buffers(kernel: Kernel, ring: Ring, whole: set[int]) -> Iterator[tuple[Charge, int]]:
    """io_buffer_account_pin(), io_uring/rsrc.c."""
    if ring.context["user"]:
        for name, buffer in buffers.registered(kernel, ring.context):
            yield _buffer(kernel, ring, name, buffer, whole), buffer.address


def _buffer(kernel: Kernel, ring: Ring, name: str, buffer: View, whole: set[int]) -> Charge:
    """A buffer had its number of pages until 7.0. Since then a ring counts each page of a small
    folio, and a large one once, `whole`."""
    if buffers.lent(buffer):
        pages = 0
    elif buffer.has("acct_pages"):
        pages = buffer["acct_pages"]
    else:
        frames = buffers.extents_of(kernel, buffer).pfn
        heads, sizes = folios_of(kernel, frames)
        large = {head: size for head, size in zip(heads, sizes, strict=True) if size > 1}
        new = large.keys() - whole
        whole |= new
        pages = sizes.count(1) + sum(large[head] for head in new)
    return Charge("io_uring", name, ring.owners, ring.context["user"], pages)


def _regions(kernel: Kernel, ring: Ring) -> Iterator[tuple[Charge, int]]:
    """io_create_region(), io_uring/memmap.c: the kernel's own memory counts as the user's does."""
    user = ring.context["user"]
    if not user:
        return
    for name, region in regions.regions(kernel, ring.context, counted=True):
        yield Charge("io_uring", name, ring.owners, user, region["nr_pages"]), region.address


def _umem(kernel: Kernel, socket: Socket) -> tuple[Charge | None, int]:
    """xdp_umem_account_pages(), net/xdp/xdp_umem.c."""
    if socket.family != af_xdp.AF_XDP or not kernel.has("xdp_umem"):
        return None, 0
    umem = kernel.at("xdp_sock", socket.sock.address).follow("umem")
    if umem is None:
        return None, 0
    name = f"umem {umem['id']}"
    return Charge("af_xdp", name, socket.owners, umem["user"], umem["npgs"]), umem.address


def _perf(kernel: Kernel, file: File) -> tuple[Charge | None, int]:
    """perf_mmap(), kernel/events/core.c: what is beyond the limit counts in VmPin instead."""
    ring = kernel.at("perf_event", file.private).follow("rb")
    if ring is None:
        return None, 0
    pages = ring["nr_pages"] + 1 - ring["mmap_locked"]
    return Charge("perf", "ring buffer", file.owners, ring["mmap_user"], pages), ring.address


def _sends(kernel: Kernel, socket: Socket) -> Iterator[tuple[Charge, int]]:
    """mm_account_pinned_pages(), net/core/skbuff.c: zero-copy sends that wait."""
    for packet in queued(kernel, socket):
        for info in shared(kernel, packet):
            counted = counted_send(kernel, info)
            if counted is None:
                continue
            charge = Charge(
                "socket",
                f"zero-copy send, {socket.name}",
                socket.owners,
                counted["mmp.user"],
                counted["mmp.num_pg"],
            )
            yield charge, counted.address
