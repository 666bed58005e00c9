"""A device that withholds its answer: a FUSE server of one file, as a process of its own.

Run as `python -m pinlab.field.acts.pinning.fuse_server FUSE_FD CONTROL_FD PARENT_PID`, by
`withheld` only. It speaks the protocol of linux/fuse.h on one descriptor and three words on the
other: told "withhold" it keeps every READ from then on unanswered and says "held SIZE" for each;
told "release" it answers them all. It ends with its parent: by the parent death signal, when the
control socket closes, and, should the parent's main thread be gone while another is stuck in a
read of ours, within a second.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pinlab.field.machine import syscalls

# linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 25, 26, 27, 29, 36, 42
FOPEN_DIRECT_IO: Final = 1
FUSE_ASYNC_READ: Final = 1
FUSE_MAX_PAGES: Final = 1 << 22
MINOR: Final = 31
_IN = struct.Struct("<IIQQIIII")
_OUT = struct.Struct("<IiQ")

FILE_NAME: Final = b"device"
FILE_SIZE: Final = 64 << 20
MOST: Final = 1 << 20
"""The most bytes one READ asks for: FUSE_DEFAULT_MAX_MAX_PAGES pages of 4 KiB."""
ROOT, FILE = 1, 2
ENOENT, ENOSYS = 2, 38
SECOND: Final = 1000  # milliseconds


@dataclass(slots=True)
class Server:
    """What is served, and which READs are held."""

    fuse: int
    control: socket.socket
    withholding: bool = False
    held: list[tuple[int, int]] = field(default_factory=list)

    def answer(self, unique: int, body: bytes = b"", error: int = 0) -> None:
        """Answer one request; that its asker is gone by now is no error."""
        try:
            os.write(self.fuse, _OUT.pack(_OUT.size + len(body), -error, unique) + body)
        except FileNotFoundError:
            return

    def request(self, message: bytes) -> None:
        """One request of the kernel."""
        length, opcode, unique, node, *_ = _IN.unpack_from(message)
        body = message[_IN.size : length]
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            return
        if opcode == READ:
            self._read(unique, struct.unpack_from("<QQI", body)[2])
            return
        handler = HANDLERS.get(opcode)
        if handler is None:
            self.answer(unique, error=ENOSYS)
        else:
            self.answer(unique, *handler(node, body))

    def _read(self, unique: int, size: int) -> None:
        if not self.withholding:
            self.answer(unique, bytes(size))
            return
        self.held.append((unique, size))
        self.control.send(b"held %d" % size)

    def command(self, word: bytes) -> bool:
        """One word of our parent; False at the end."""
        if word == b"withhold":
            self.withholding = True
            self.control.send(b"withholding")
        elif word == b"release":
            self.withholding = False
            for unique, size in self.held:
                self.answer(unique, b"\x5a" * size)
            self.held.clear()
            self.control.send(b"released")
        return bool(word)


def _attributes(node: int) -> bytes:
    mode, size = (0o40700, 4096) if node == ROOT else (0o100600, FILE_SIZE)
    times = (0,) * 6
    return struct.pack("<6Q3I7I", node, size, size // 512, *times, mode, 1, 0, 0, 0, 4096, 0)


def _init(_node: int, _body: bytes) -> tuple[bytes, int]:
    flags = FUSE_ASYNC_READ | FUSE_MAX_PAGES
    head = struct.pack("<IIIIHHIIHH", 7, MINOR, 1 << 17, flags, 16, 12, MOST, 1, MOST // 4096, 0)
    return head + bytes(28), 0


def _lookup(node: int, body: bytes) -> tuple[bytes, int]:
    if node != ROOT or body.rstrip(b"\0") != FILE_NAME:
        return b"", ENOENT
    return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + _attributes(FILE), 0


def _getattr(node: int, _body: bytes) -> tuple[bytes, int]:
    return struct.pack("<QII", 3600, 0, 0) + _attributes(node), 0


def _open(_node: int, _body: bytes) -> tuple[bytes, int]:
    return struct.pack("<QIi", 1, FOPEN_DIRECT_IO, 0), 0


def _nothing(_node: int, _body: bytes) -> tuple[bytes, int]:
    return b"", 0


HANDLERS: Final[dict[int, Callable[[int, bytes], tuple[bytes, int]]]] = {
    INIT: _init,
    LOOKUP: _lookup,
    GETATTR: _getattr,
    OPEN: _open,
    OPENDIR: _open,
    FLUSH: _nothing,
    RELEASE: _nothing,
    RELEASEDIR: _nothing,
}


def serve(fuse: int, control: socket.socket, parent: int) -> None:
    """Serve until the file system is unmounted, the parent gone, or the control socket closed."""
    server = Server(fuse, control)
    poll = select.poll()
    poll.register(fuse, select.POLLIN)
    poll.register(control, select.POLLIN)
    while os.getppid() == parent and not _is_zombie(parent):
        for fd, _ in poll.poll(SECOND):
            if fd == control.fileno():
                if not server.command(control.recv(64)):
                    return
                continue
            try:
                message = os.read(fuse, MOST + 8192)
            except (FileNotFoundError, InterruptedError):
                continue  # a request was taken back before we read it
            except OSError:
                return  # ENODEV: unmounted
            server.request(message)


def _is_zombie(pid: int) -> bool:
    """Whether a process's main thread has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def main() -> None:
    """Entry point of the process."""
    fuse, control, parent = map(int, sys.argv[1:])
    syscalls.set_parent_death_signal(signal.SIGKILL)
    # A terminal's Ctrl-C goes to all processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(fuse, socket.socket(fileno=control), parent)


if __name__ == "__main__":
    main()
