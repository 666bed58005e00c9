"""Pages that wait in sockets: zero-copy sends, sendfile, splice."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile

from tests.live.programs import PAGE, SIZE, hold, memory

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000
KEPT: list[object] = []


def connected() -> tuple[socket.socket, socket.socket]:
    """A TCP connection whose peer reads nothing."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    sending = socket.socket()
    sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sending.connect(listening.getsockname())
    receiving, _ = listening.accept()
    sending.setblocking(False)
    KEPT.extend((sending, receiving))
    return sending, receiving


def file() -> int:
    """The descriptor of a file of SIZE bytes, without a name."""
    made = tempfile.TemporaryFile()  # noqa: SIM115
    made.write(b"f" * SIZE)
    made.flush()
    KEPT.append(made)
    return made.fileno()


def zero_copy() -> int:
    """Sends with MSG_ZEROCOPY: how many fragments they became, TCP decides."""
    sending, _ = connected()
    sending.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    what, _ = memory()
    KEPT.append(what)
    with contextlib.suppress(BlockingIOError):
        for _ in range(20):
            sending.send(what, MSG_ZEROCOPY)
    return 0


def send_file() -> int:
    """Sendfile to a unix socket that nobody reads."""
    sending, receiving = socket.socketpair()
    KEPT.extend((sending, receiving))
    assert os.sendfile(sending.fileno(), file(), 0, SIZE) == SIZE
    return SIZE // PAGE


WAYS = (zero_copy, send_file)

if __name__ == "__main__":
    hold({each.__name__: each for each in WAYS}[sys.argv[1]]())
