"""AF_XDP: the umem of each socket. net/xdp/xdp_umem.c.

Counted in user->locked_vm only, and with CAP_IPC_LOCK nowhere. The kernel keeps no user address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE

AF_XDP: Final = 44


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per umem, which sockets may share."""
    seen: set[int] = set()

    def sock(file: File) -> Iterator[Claim]:
        sk = kernel.at("socket", file.private).follow("sk")
        if sk is None or sk["__sk_common.skc_family"] != AF_XDP:
            return
        umem = kernel.at("xdp_sock", sk.address).follow("umem")
        if umem is None or umem.address in seen:
            return
        pages = kernel.pointers(umem["pgs"], umem["npgs"], most=-(-umem["size"] // PAGE_SIZE))
        claim = Claim(
            WALKER.kind,
            f"umem {umem['id']}",
            file.owners,
            Extents.of_pages(kernel.pfns(pages)),
            length=umem["size"],
            accounted_in=(Accounted.LOCKED_VM,) if umem["user"] else (),
        )
        seen.add(umem.address)
        yield claim

    yield from kernel.each(kernel.files.released_by("sock_close"), sock)


WALKER = Walker("af_xdp", "umem of AF_XDP sockets", walk, needs=("xdp_sock", "xdp_umem"))
