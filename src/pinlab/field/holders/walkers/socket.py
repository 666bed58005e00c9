"""Pages in the queues of sockets that are not the kernel's own: zero-copy sends, and splices.

MSG_ZEROCOPY, sendfile and splice put pages of a process or of the page cache into packets
(net/core/skbuff.c): plain references, one per fragment, dropped when the packet goes. What an
ordinary send was copied into belongs to nobody else and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.frames import of_user
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.sockets import (
    ZEROCOPY,
    Socket,
    counted_send,
    queued,
    shared,
    sockets,
)
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.view import View

LENT: Final = 1 << 4
"""SKBFL_MANAGED_FRAG_REFS: the packet has no reference, its sender (io_uring) has."""
FRAGMENT: Final = 16
"""Bytes of a skb_frag_t: a page, then a length and an offset."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per socket and way."""
    files = kernel.files.released_by("sock_close")
    owners = {file.private: file.owners for file in files}
    seen: set[int] = set()

    def of_socket(socket: Socket) -> Iterator[Claim]:
        ways: dict[tuple[str, bool], list[int]] = {}
        found: set[int] = set()
        for packet in queued(kernel, socket):
            for info in shared(kernel, packet):
                if info.address in seen or info.address in found or info["flags"] & LENT:
                    continue
                found.add(info.address)
                way = "zero-copy send" if info["flags"] & ZEROCOPY else "splice"
                counted = counted_send(kernel, info)
                is_counted = counted is not None and counted["mmp.user"] != 0
                ways.setdefault((way, is_counted), []).extend(_pages(kernel, info))
        seen.update(found)
        for (way, is_counted), pages in ways.items():
            frames = kernel.pfns(np.array(pages, np.uint64))
            frames = frames[of_user(kernel, frames)]
            if len(frames):
                detail = f"{way}, {socket.name}"
                yield Claim(
                    WALKER.kind,
                    detail,
                    socket.owners,
                    Extents.of_pages(frames),
                    references=True,
                    accounted_in=(Accounted.LOCKED_VM,) if is_counted else (),
                )

    yield from kernel.each(sockets(kernel, owners), of_socket)


def _pages(kernel: Kernel, info: View) -> list[int]:
    """The pages of the fragments, but for those that are memory of a device."""
    place = kernel.structs.place("skb_shared_info", "frags")
    count = info["nr_frags"]
    words = kernel.pointers(info.address + place.byte, 2 * count, most=2 * place.size // FRAGMENT)
    return [page for page in words[::2].tolist() if page and not page & 1]


WALKER = Walker(
    "socket",
    "zero-copy sends, and pages spliced into sockets",
    walk,
    needs=("sk_buff", "skb_shared_info", "sock"),
)
