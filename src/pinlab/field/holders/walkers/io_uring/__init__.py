"""What io_uring keeps of user memory: registered buffers, and memory given to it for itself.

A file each: `buffers`, in the tables of rings and of requests that outlive them; `regions`, memory
of rings, of provided buffers, and for waiting; `zcrx`, areas of zero-copy receive. Memory that the
kernel made for a ring is no user's and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinlab.field.holders import bios
from pinlab.field.holders.bios import InFlight
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.walker import Walker
from pinlab.field.holders.walkers.io_uring import buffers, regions, requests, zcrx
from pinlab.field.memory.view import View


def walk(kernel: Kernel) -> Iterator[Claim]:
    """Ring by ring; a buffer that rings share (cloned) is claimed once.

    Then what direct I/O in flight still has: buffers that are in no table any more, and whole
    rings that nobody has any more, which live until it ends (io_ring_exit_work).
    """
    seen: set[int] = set()

    def of_ring(ring: Ring) -> Iterator[Claim]:
        # One by one: what cannot be read of a part is not lost of the others.
        yield from kernel.each((ring,), lambda it: buffers.claims(kernel, it, seen))
        yield from kernel.each((ring,), lambda it: regions.claims(kernel, it))
        yield from kernel.each((ring,), lambda it: zcrx.claims(kernel, it))

    rings = {ring.context.address: ring for ring in kernel.files.rings}

    def of_bio(bio: View, _: InFlight) -> Iterator[Claim]:
        request = requests.of_bio(kernel, bio)
        context = None if request is None else request.follow("ctx")
        if request is None or context is None:
            return
        if context.address not in rings:
            rings[context.address] = ring = Ring(context, ())
            yield from of_ring(ring)
        yield from buffers.claims_of(kernel, rings[context.address], request, seen)

    yield from kernel.each(tuple(rings.values()), of_ring)
    if kernel.has("io_kiocb", "buf_node"):  # before 6.13 a table outlives its requests
        yield from bios.each(kernel, of_bio)


WALKER = Walker(
    "io_uring",
    "registered buffers, and user memory that rings are made of",
    walk,
    needs=("io_ring_ctx", "io_mapped_ubuf", "bio_vec"),
)
