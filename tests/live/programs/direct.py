"""Direct I/O that is held back: `WAY DEVICE PROCS`, a device and a cgroup's list of processes."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from tests.live.programs import PAGE, SIZE, hold
from tests.live.programs.rings import UNREGISTER, keep, read_fixed, register, registered, submit


def opened(device: str, procs: str) -> int:
    """The device, open for direct I/O by a process of the cgroup."""
    Path(procs).write_text(str(os.getpid()))
    return os.open(device, os.O_RDONLY | os.O_DIRECT)


def read(device: int) -> int:
    """A thread's read."""
    memory, _ = keep()
    threading.Thread(target=os.preadv, args=(device, [memory], 0), daemon=True).start()
    return SIZE // PAGE


def fixed(device: int) -> int:
    """A ring's read into a buffer that was unregistered meanwhile."""
    ring, parts, address = registered()
    submit(ring, parts, read_fixed(device, address, SIZE))
    register(ring, UNREGISTER, b"", 0)
    return SIZE // PAGE


WAYS = (read, fixed)

if __name__ == "__main__":
    way, *paths = sys.argv[1:]
    device = opened(*paths)
    hold({each.__name__: each for each in WAYS}[way](device))
