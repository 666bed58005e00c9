"""Sockets and the packets in their queues. include/net/sock.h, include/linux/skbuff.h.

A packet's pages hang on its skb_shared_info, which clones of the packet share. What a socket has
sent and a peer has not acknowledged is in `tcp_rtx_queue`; what it has received, or what a unix
socket was sent, in `sk_receive_queue`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError
from pinlab.field.holders.access import Access
from pinlab.field.holders.processes import File
from pinlab.field.memory.lists import rbtree
from pinlab.field.memory.view import View

AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 10
TCP: Final = 6
CHAIN: Final = 1 << 12
"""The most packets that one may be a list of (frag_list)."""
DEEPEST: Final = 4
"""Lists of lists; the kernel makes one of one."""
FAMILIES: Final = {AF_UNIX: "unix", AF_INET: "ip", AF_INET6: "ip", 16: "netlink", 17: "packet"}


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that somebody has, by its `struct sock`."""

    file: File
    sock: View
    family: int
    protocol: int

    @property
    def name(self) -> str:
        """What it speaks."""
        if self.protocol == TCP and self.family in (AF_INET, AF_INET6):
            return "tcp"
        return FAMILIES.get(self.family, f"family {self.family}")


def sockets(kernel: Access, files: tuple[File, ...]) -> Iterator[Socket]:
    """The sockets of files that `sock_close` releases. Read at once, as a server has many."""
    if not files:
        return
    structs = kernel.structs
    addresses = np.array([file.private for file in files], np.uint64)
    rows, good = kernel.reader.read_many(addresses, structs.size("socket"))
    inner = kernel.column(rows, "socket", "sk")
    known = np.flatnonzero(good & (inner != 0))
    rows, good = kernel.reader.read_many(inner[known], structs.size("sock"))
    family = kernel.column(rows, "sock", "__sk_common.skc_family").tolist()
    protocol = kernel.column(rows, "sock", "sk_protocol").tolist()
    for at, number in enumerate(known.tolist()):
        if good[at]:
            sock = kernel.at("sock", int(inner[number]))
            yield Socket(files[number], sock, family[at], protocol[at])


def queued(kernel: Access, socket: Socket) -> Iterator[View]:
    """The packets of a socket, each a `struct sk_buff`. Raises FaultError."""
    if socket.name == "tcp":  # what was sent first comes first
        root = socket.sock["tcp_rtx_queue.rb_node"]
        for node in rbtree(kernel.structs, root):
            yield kernel.structs.entry(node, "sk_buff", "rbnode")
    for queue in ("sk_write_queue", "sk_receive_queue", "sk_error_queue"):
        yield from kernel.entries(socket.sock.where(queue), "sk_buff", "list")


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
