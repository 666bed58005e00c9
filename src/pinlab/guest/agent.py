"""In a guest, its first program: prepares it, then runs pinlab's commands as they come.

An order is a line of JSON on the second serial line, a list of words; so is the answer, a list of
exit status, standard output, standard error and seconds. What a command imports stays imported,
as an emulated machine takes seconds for it.
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
from pathlib import Path
from typing import IO, Any

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


def status(words: list[str], out: IO[str], err: IO[str]) -> int:
    """The exit status of one command, as a shell has it."""
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
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found if found >= 0 else 128 - found


def answer(words: list[str]) -> list[Any]:
    """What a command says."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.monotonic()
        done = status(words, out, err)
        seconds = time.monotonic() - began
        said = [file.seek(0) or file.read() for file in (out, err)]
    return [done, *said, seconds]


def serve(fd: int) -> None:
    """Answer orders for ever."""
    with os.fdopen(fd, "r+b", buffering=0) as line:
        pending = b""
        while True:
            while b"\n" not in pending:
                pending += line.read(1 << 16)
            order, _, pending = pending.partition(b"\n")
            left = json.dumps(answer(json.loads(order))).encode() + b"\n"
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
