"""Sockets and the packets in their queues. include/net/sock.h, include/linux/skbuff.h.

A packet's pages hang on its skb_shared_info, which clones of the packet share. What a socket has
sent and a peer has not acknowledged is in `tcp_rtx_queue`; what it has received, or what a unix
socket was sent, in `sk_receive_queue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError
from pinlab.field.holders.access import Access
from pinlab.field.holders.claim import Owner
from pinlab.field.memory.lists import rbtree
from pinlab.field.memory.view import View

AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 10
TCP: Final = 6
ZEROCOPY: Final = 1 << 0
"""SKBFL_ZEROCOPY_ENABLE, include/linux/skbuff.h."""
COMPLETE: Final = "msg_zerocopy_complete"
"""What a zero-copy send of a process is completed by, net/core/skbuff.c."""
QUEUES: Final = ("sk_write_queue", "sk_receive_queue", "sk_error_queue")
PIECE: Final = 1 << 14
"""Sockets that are read at once."""
MOST_PASSED: Final = 253
"""Files in a message (SCM_MAX_FD, include/net/scm.h)."""
CHAIN: Final = 1 << 12
"""The most packets that one may be a list of (frag_list)."""
DEEPEST: Final = 4
"""Lists of lists; the kernel makes one of one."""
FAMILIES: Final = {AF_UNIX: "unix", AF_INET: "ip", AF_INET6: "ip", 16: "netlink", 17: "packet"}


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that somebody has, by its `struct sock`."""

    sock: View
    owners: tuple[Owner, ...]
    family: int
    protocol: int
    busy: tuple[str, ...]
    """Its queues that are not empty."""
    sent: int
    """The root of `tcp_rtx_queue`, if it is of TCP."""

    @property
    def name(self) -> str:
        """What it speaks."""
        return "tcp" if self.is_tcp else FAMILIES.get(self.family, f"family {self.family}")

    @property
    def is_tcp(self) -> bool:
        """Whether it keeps what was not acknowledged."""
        return self.protocol == TCP and self.family in (AF_INET, AF_INET6)


def sockets(kernel: Access, owners: Mapping[int, tuple[Owner, ...]]) -> Iterator[Socket]:
    """Some sockets by the addresses of `struct socket`, read many at once. Raises FaultError."""
    addresses = np.array(sorted(owners), np.uint64)
    if not len(addresses):
        return
    for piece in np.array_split(addresses, len(addresses) // PIECE + 1):
        yield from _piece(kernel, piece, owners)


def _piece(
    kernel: Access, addresses: NDArray[np.uint64], owners: Mapping[int, tuple[Owner, ...]]
) -> Iterator[Socket]:
    rows, readable = kernel.many(addresses, "socket")
    inner = kernel.column(rows, "socket", "sk")
    at, inner = addresses[readable][inner != 0].tolist(), inner[inner != 0]
    rows, readable = kernel.many(inner, "sock")
    family = kernel.column(rows, "sock", "__sk_common.skc_family").tolist()
    protocol = kernel.column(rows, "sock", "sk_protocol").tolist()
    sent = kernel.column(rows, "sock", "tcp_rtx_queue.rb_node").tolist()
    first = [kernel.column(rows, "sock", f"{queue}.next").tolist() for queue in QUEUES]
    for row, number in enumerate(np.flatnonzero(readable).tolist()):
        sock = kernel.at("sock", int(inner[number]))
        busy = tuple(
            queue
            for queue, packets in zip(QUEUES, first, strict=True)
            if packets[row] not in (0, sock.where(queue))
        )
        yield Socket(sock, owners[at[number]], family[row], protocol[row], busy, sent[row])


def queued(kernel: Access, socket: Socket) -> Iterator[View]:
    """The packets of a socket, each a `struct sk_buff`. Raises FaultError."""
    if socket.is_tcp:  # what was sent first comes first
        for node in rbtree(kernel.structs, socket.sent):
            yield kernel.structs.entry(node, "sk_buff", "rbnode")
    for queue in socket.busy:
        yield from kernel.entries(socket.sock.where(queue), "sk_buff", "list")


def counted_send(kernel: Access, info: View) -> View | None:
    """What a zero-copy send of a process is counted by, if a packet has pages of one that waits:
    its ubuf_info_msgzc. mm_account_pinned_pages(), net/core/skbuff.c. Raises FaultError."""
    if not (kernel.has("ubuf_info_msgzc") and kernel.has("ubuf_info", "ops")):
        return None
    sent = info.follow("destructor_arg", "ubuf_info") if info["flags"] & ZEROCOPY else None
    if sent is None or not kernel.is_function(sent.behind("ops")["complete"], COMPLETE):
        return None
    return kernel.at("ubuf_info_msgzc", sent.address)


def in_flight(kernel: Access, socket: Socket) -> Iterator[int]:
    """The files that a unix socket was sent and nobody has received (SCM_RIGHTS): addresses of
    `struct file`. Raises FaultError."""
    if socket.family != AF_UNIX or "sk_receive_queue" not in socket.busy:
        return
    for packet in queued(kernel, socket):
        passed = kernel.at("unix_skb_parms", packet.where("cb")).follow("fp")
        if passed is not None:
            files = kernel.pointers(passed.where("fp"), passed["count"], MOST_PASSED)
            yield from files.tolist()


def shared(kernel: Access, packet: View, depth: int = 0) -> Iterator[View]:
    """The skb_shared_info of a packet and of those that it is a list of. Raises FaultError."""
    info = kernel.at("skb_shared_info", packet["head"] + packet["end"])
    kernel.same(packet, "head", "end")
    yield info
    part = info.follow("frag_list")
    for _ in range(CHAIN):
        if part is None:
            return
        if depth == DEEPEST:
            break
        yield from shared(kernel, part, depth + 1)
        part = part.follow("next")
    raise FaultError(info.address, CHAIN)
