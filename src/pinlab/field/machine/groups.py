"""What processes and files have in common: a cgroup, a block device with what is mounted of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinlab.errors import UsageError
from pinlab.field.errors import FieldError
from pinlab.names import decoded

CGROUPS: Final = Path("/sys/fs/cgroup")
WITHOUT_PAGES: Final = frozenset(
    (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2"),
        *("configfs", "debugfs", "devpts", "efivarfs", "fusectl"),
        *("mqueue", "nsfs", "proc", "pstore", "rpc_pipefs"),
        *("securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs"),
    )
)
"""File systems of no device, whose files have no page cache."""


def cgroup(name: str, root: Path = CGROUPS) -> frozenset[int]:
    """The processes of a cgroup and of all below it, by its folder, or by its name with or
    without the slash that /proc/PID/cgroup begins it with.

    Raises UsageError if there is no such cgroup, FieldError if one is threaded.
    """
    below = name.lstrip("/")
    folders = [Path(name)] if name.startswith("/") else []
    folders += [root / below, *sorted(root.glob(f"*/{below}"))]
    for folder in folders if name else []:
        if (folder / "cgroup.procs").exists():
            return frozenset(_processes(folder))
    raise UsageError(f"there is no cgroup {name!r}; give its folder below {root}")


def _processes(folder: Path) -> Iterator[int]:
    for place, _, files in os.walk(folder):
        if "cgroup.procs" not in files:
            continue
        try:
            yield from map(int, (Path(place) / "cgroup.procs").read_text().split())
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise FieldError(
                    f"{place} is a threaded cgroup, which has no processes: ask about the one above"
                ) from error
            continue  # it went away


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A block device."""

    disk: str
    """The name of the whole disk, by which I/O in flight is told: "sda" of sda1."""
    numbers: frozenset[str]
    """Of the device and of the file systems mounted from it, whose files have theirs: "7:0"."""


def block_device(name: str) -> BlockDevice:
    """A block device by its node, its name below /dev, or where it is mounted.

    Raises UsageError if there is none.
    """
    path = Path(name) if "/" in name else Path("/dev") / (name or "?")
    mounts = [line.split(" ") for line in _mountinfo().split("\n")[:-1]]
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UsageError(f"there is no block device and no mount point {name!r}") from error
    if stat.S_ISBLK(status.st_mode):
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    else:
        here = [words for words in mounts if words[4] == str(path.absolute())]
        if not here:
            raise UsageError(f"{name} is no block device, and nothing is mounted there")
        kind = here[-1][here[-1].index("-") + 1]
        if kind in WITHOUT_PAGES:
            raise UsageError(
                f"{name} is of {kind}, which has neither a device nor pages of files: give a block "
                "device, or where one is mounted"
            )
        number = _source(here[-1]) or here[-1][2]
    own = {words[2] for words in mounts if number in (words[2], _source(words))}
    return BlockDevice(_disk(number), frozenset({number, *own}))


def _mountinfo() -> str:
    return decoded(Path("/proc/self/mountinfo").read_bytes())


def _source(words: list[str]) -> str | None:
    """The number of the device that a line of mountinfo names as its source, if it is one."""
    source = words[words.index("-") + 2]
    try:
        status = os.stat(source) if source.startswith("/dev/") else None
    except (OSError, ValueError):
        return None
    if status is None or not stat.S_ISBLK(status.st_mode):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _disk(number: str) -> str:
    """The whole disk of a device, by sysfs; empty if it has none (an anonymous device)."""
    place = Path("/sys/dev/block") / number
    if not place.exists():
        return ""
    place = place.resolve()
    return place.parent.name if (place / "partition").exists() else place.name
