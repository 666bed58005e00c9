"""A file whose READs are answered only when told: our side of the FUSE server.

The mount is made with fsopen and attached nowhere, so no path leads to it and nothing is left
when its last descriptor is closed, by whatever end.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pinlab.field.acts.pinning import fuse_server, runtime
from pinlab.field.errors import FieldError
from pinlab.field.machine import syscalls

PATIENCE = 10.0
"""Seconds to wait for the server or for a READ to reach it."""


@dataclass(frozen=True, slots=True)
class Device:
    """The file, open for reading, and the word to its server."""

    fd: int
    record: runtime.Record
    server: int
    """The server's pid."""
    _control: socket.socket

    def withhold(self) -> None:
        """Answer no READ from now on."""
        self._ask(b"withhold", b"withholding")

    def wait_held(self) -> int:
        """Wait for a READ that is withheld; return its bytes. Raises FieldError after 10 s."""
        return int(self._expect(b"held").split()[1])

    def release(self) -> None:
        """Answer what was withheld; the server being dead does so too."""
        try:
            self._ask(b"release", b"released")
        except (OSError, FieldError):
            return

    def _ask(self, word: bytes, answer: bytes) -> None:
        self._control.send(word)
        self._expect(answer)

    def _expect(self, word: bytes) -> bytes:
        try:
            while (said := self._control.recv(64)).split()[:1] != [word]:
                if not said:
                    raise FieldError("the FUSE server ended")
        except TimeoutError:
            raise FieldError("no answer from the FUSE server within 10 s") from None
        return said


@contextmanager
def device() -> Iterator[Device]:
    """Mount, start the server, open the file. Raises OSError or FieldError."""
    with runtime.record() as record:
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        try:
            options = {
                "fd": str(fuse),
                "rootmode": "40000",
                "user_id": str(os.getuid()),
                "group_id": str(os.getgid()),
                "max_read": str(fuse_server.MOST),
            }
            mount = syscalls.detached_mount("fuse", options)
        except BaseException:
            os.close(fuse)
            raise
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(PATIENCE)
        server = None
        try:
            try:
                server = _start(fuse, theirs)
            finally:
                os.close(fuse)
                theirs.close()
            with record.server(server.pid):
                name = fuse_server.FILE_NAME
                fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=mount)
                try:
                    made = Device(fd, record, server.pid, ours)
                    yield made
                    made.release()
                finally:
                    with suppress(OSError):  # a dead server's answer to the close
                        os.close(fd)
        finally:
            os.close(mount)
            ours.close()
            if server is not None:
                _stop(server)


def _start(fuse: int, control: socket.socket) -> subprocess.Popen[bytes]:
    words = [str(fuse), str(control.fileno()), str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", fuse_server.__name__, *words],
        pass_fds=(fuse, control.fileno()),
        stdin=subprocess.DEVNULL,
        # A terminal's Ctrl-C would meet it while it starts and is not yet deaf to it.
        process_group=0,
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    """The control socket is closed: the server ends by itself, or is ended."""
    try:
        server.wait(2)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
