"""Where we are: the kernel numbers processes, and counts time, as its first namespaces do."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""PROC_PID_INIT_INO, include/linux/proc_ns.h."""


@cache
def first_pid_namespace() -> bool:
    """Whether the kernel's number of a process is ours, and /proc shows processes by it."""
    try:
        own = os.stat("/proc/self/ns/pid").st_ino
        return own == FIRST_PID_NAMESPACE and os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


@cache
def monotonic_offset_ns() -> int:
    """What our CLOCK_MONOTONIC is ahead of the kernel's, in nanoseconds (time_namespaces(7))."""
    try:
        lines = Path("/proc/self/timens_offsets").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    offsets = {name: (int(s), int(ns)) for name, s, ns in map(str.split, lines)}
    seconds, nanoseconds = offsets.get("monotonic", (0, 0))
    return seconds * 1_000_000_000 + nanoseconds
