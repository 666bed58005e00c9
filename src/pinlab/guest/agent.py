"""In a guest, its first program: prepares it, then runs pinlab's commands as they come.

An order is a line of JSON on the second serial line: what to do (one of DO), and a list of words.
The answer is one too, of exit status, standard output, standard error and seconds. What a command
imports stays imported, as an emulated machine takes seconds for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ORDERS = "/dev/ttyS1"
MODULES = Path("/modules")
SCRATCH = "/dev/shm"
"""Where commands may write: a place that covers none of the root, wherever pinlab lies there."""

_SYS_FINIT_MODULE = 313  # x86-64
_PR_SET_NAME = 15
_MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", SCRATCH),
    ("tracefs", "/sys/kernel/tracing"),
)

_libc = ctypes.CDLL(None, use_errno=True)


def prepare() -> list[str]:
    """Mount what programs expect and load the modules. Returns what could not be done."""
    failed = []
    for kind, place in _MOUNTS:
        os.makedirs(place, exist_ok=True)
        if _libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None) != 0:
            failed.append(f"mount {place}: {os.strerror(ctypes.get_errno())}")
    for path in sorted(MODULES.glob("*.ko")):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if _libc.syscall(_SYS_FINIT_MODULE, fd, b"", 0) != 0:
            failed.append(f"module {path.stem[4:]}: {os.strerror(ctypes.get_errno())}")
        os.close(fd)
    return failed


def start(words: list[str], out: IO[str], err: IO[str]) -> int:
    """Start a command; its pid."""
    from pinlab.cli import main

    with contextlib.suppress(ImportError):  # it says so itself
        importlib.import_module(f"pinlab.cli.{words[0]}" if words else "pinlab.cli")
    child = os.fork()
    if not child:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for file, fd in ((out, 1), (err, 2)):
            os.dup2(file.fileno(), fd)
        _libc.prctl(_PR_SET_NAME, b"pinlab", 0, 0, 0)
        sys.argv = ["pinlab", *words]
        main()
        sys.exit(0)
    return child


def end(pid: int) -> int:
    """The exit status of one that was started, as a shell has it."""
    found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return found if found >= 0 else 128 - found


def run(words: list[str]) -> Answer:
    """What a command says."""
    with _said() as (out, err):
        began = time.monotonic()
        status = end(start(words, out, err))
        return status, _text(out), _text(err), time.monotonic() - began


def begin(words: list[str]) -> Answer:
    """Start a command that goes on behind the next orders. Answered when it has said something, or
    has ended: then by its status, and 0 otherwise."""
    with _said() as (out, err):
        began = time.monotonic()
        pid, status = start(words, out, err), 0
        while not os.fstat(out.fileno()).st_size:
            time.sleep(0.05)
            ended, found = os.waitpid(pid, os.WNOHANG)
            if ended:
                status = os.waitstatus_to_exitcode(found)
                break
        else:
            _going_on.append(pid)
        return status, _text(out), _text(err), time.monotonic() - began


def stop(words: list[str]) -> Answer:
    """End all that goes on; `words` are not asked for. Answered by the worst status."""
    began = time.monotonic()
    for pid in _going_on:
        os.kill(pid, signal.SIGTERM)
    status = max((end(pid) for pid in _going_on), default=0)
    _going_on.clear()
    return status, "", "", time.monotonic() - began


Answer = tuple[int, str, str, float]
DO = {"run": run, "begin": begin, "stop": stop}
_going_on: list[int] = []
"""Commands that go on, by pid."""


@contextlib.contextmanager
def _said() -> Iterator[tuple[IO[str], IO[str]]]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        yield out, err


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def serve(fd: int) -> None:
    """Answer orders for ever."""
    with os.fdopen(fd, "r+b", buffering=0) as line:
        pending = b""
        while True:
            while b"\n" not in pending:
                pending += line.read(1 << 16)
            order, _, pending = pending.partition(b"\n")
            what, words = json.loads(order)
            left = json.dumps(DO[what](words)).encode() + b"\n"
            while left:
                left = left[os.write(fd, left) :]


def main() -> None:
    """The first program of a guest; it never ends."""
    failed = prepare()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    fd = os.open(ORDERS, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(fd)
    os.write(fd, json.dumps(failed).encode() + b"\n")
    serve(fd)


if __name__ == "__main__":
    main()
