"""What io_uring keeps of user memory: registered buffers, and memory given to it for itself.

A file each: `buffers`, in the tables of rings and of requests that outlive them; `regions`, memory
of rings, of provided buffers, and for waiting; `zcrx`, areas of zero-copy receive. Memory that the
kernel made for a ring is no user's and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinlab.field.holders.claim import Claim
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.walker import Walker
from pinlab.field.holders.walkers.io_uring import buffers, regions, zcrx


def walk(kernel: Kernel) -> Iterator[Claim]:
    """Ring by ring; a buffer that rings share (cloned) is claimed once."""
    seen: set[int] = set()

    def of_ring(ring: Ring) -> Iterator[Claim]:
        # One by one: what cannot be read of a part is not lost of the others.
        yield from kernel.each((ring,), lambda it: buffers.claims(kernel, it, seen))
        yield from kernel.each((ring,), lambda it: regions.claims(kernel, it))
        yield from kernel.each((ring,), lambda it: zcrx.claims(kernel, it))

    yield from kernel.each(kernel.files.rings, of_ring)


WALKER = Walker(
    "io_uring",
    "registered buffers, and user memory that rings are made of",
    walk,
    needs=("io_ring_ctx", "io_mapped_ubuf", "bio_vec"),
)
