"""What a person calls a file or a block device that an event tells by number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_MINOR_BITS = 20


def numbers(dev: int) -> str:
    """The kernel's dev_t as major:minor."""
    return f"{dev >> _MINOR_BITS}:{dev & (1 << _MINOR_BITS) - 1}"


def dev_t(dev: int) -> int:
    """A device as user space has it (st_dev) as the kernel's dev_t."""
    return os.major(dev) << _MINOR_BITS | os.minor(dev)


def device(dev: int) -> str:
    """A block device by name ("loop0"), or by its numbers if it has none (any more)."""
    try:
        return Path(f"/sys/dev/block/{numbers(dev)}").resolve(strict=True).name
    except OSError:
        return numbers(dev)


def super_block(path: Path, found: os.stat_result) -> int:
    """The device of the file system, which its mount tells.

    btrfs has another st_dev for each subvolume, and no event has that.
    """
    with suppress(OSError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            told = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii")
        finally:
            os.close(fd)
        mount = dict(line.split(None, 1) for line in told.splitlines())["mnt_id:"]
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            number, _, dev, *_ = line.decode(errors="replace").split()
            if number == mount:
                major, minor = map(int, dev.split(":"))
                return dev_t(os.makedev(major, minor))
    return dev_t(found.st_dev)


def path(dev: int, ino: int, pids: Iterable[int] = ()) -> str | None:
    """A name of a file that one of `pids` or, if none is given, any process has open."""
    for pid in pids or _all():
        for folder in ("fd", "map_files"):
            with suppress(OSError):
                for entry in os.scandir(f"/proc/{pid}/{folder}"):
                    with suppress(OSError):
                        found = os.stat(entry.path)
                        if found.st_ino == ino and super_block(Path(entry.path), found) == dev:
                            return os.readlink(entry.path)
    return None


def _all() -> Iterator[int]:
    return (int(each) for each in os.listdir("/proc") if each.isdigit())
