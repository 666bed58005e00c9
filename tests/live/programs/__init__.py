"""Small programs that hold pages in one way each, with nothing of pinlab in them.

`python -m tests.live.programs.NAME WAY` holds, prints one line of JSON (`pid`, and how many pins
or references there should be as `count`), and waits to be killed.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
from typing import NoReturn

SIZE = 65536
PAGE = 4096
libc = ctypes.CDLL(None, use_errno=True)


def memory(size: int = SIZE) -> tuple[mmap.mmap, int]:
    """Private memory that is there, and its address."""
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    made[:] = b"m" * size
    return made, ctypes.addressof(ctypes.c_char.from_buffer(made))


def call(number: int, *arguments: object) -> int:
    """A system call of x86-64. Raises OSError."""
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def hold(count: int, pid: int | None = None) -> NoReturn:
    """Say how often pages are held now, and keep them."""
    print(json.dumps({"pid": pid or os.getpid(), "count": count}), flush=True)
    while True:
        signal.pause()
