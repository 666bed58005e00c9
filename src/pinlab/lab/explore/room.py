"""How much memory an exploration may take if nobody says: what the machine has to spare.

Without a limit the kernel would end a search that is too large, and with it all that was found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pinlab.lab.explore.result import Limits

RESERVE = 1 / 8
"""The part left alone: for the compiler, the results, and whatever else runs."""

LEAST = 2**26
"""A search that gets less than this finds nothing worth having."""

ROOT = Path("/")


def bounded(limits: Limits | None, shares: int = 1, root: Path = ROOT) -> Limits:
    """`limits` with a limit of memory: a share of what there is, unless one is given."""
    limits = limits or Limits()
    if limits.memory_bytes is not None:
        return limits
    room = int(available(root) * (1 - RESERVE)) // shares
    return replace(limits, memory_bytes=max(LEAST, room))


def available(root: Path = ROOT) -> int:
    """Bytes that may still be taken: of the machine, and of every cgroup that we are in."""
    return max(0, min(_of_machine(root), *_of_cgroups(root), 2**62))


def _of_machine(root: Path) -> int:
    with suppress(OSError, KeyError, ValueError):
        lines = (root / "proc/meminfo").read_text().splitlines()
        return int(dict(line.split(":", 1) for line in lines)["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_cgroups(root: Path) -> Iterator[int]:
    for folder, limit, usage in _cgroups(root):
        with suppress(OSError, KeyError, ValueError):  # "max", or a group without this controller
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            cache = int(stat.get("total_inactive_file", stat["inactive_file"]))
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            yield most - used + cache  # page cache goes when memory is wanted


def _cgroups(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Every group from ours upwards, with the names of its files: version 2, and version 1.

    In a container the groups above ours are out of sight, and ours may be mounted as the top.
    """
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own = Path(path.lstrip("/"))
            if not controllers:
                for group in (own, *own.parents):
                    yield root / "sys/fs/cgroup" / group, "memory.max", "memory.current"
            elif "memory" in controllers.split(","):
                for group in (own, *own.parents):
                    folder = root / "sys/fs/cgroup/memory" / group
                    yield folder, "memory.limit_in_bytes", "memory.usage_in_bytes"
