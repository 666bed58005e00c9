"""Holders for somebody who may not read kernel memory: what /proc tells, joined by address.

io_uring lists its buffers' addresses in /proc/PID/fdinfo; /proc/PID/pagemap says which frames
are there now, if that may be known. Nobody else lists anything. An address may have been
unmapped, copied or forked since it was pinned, so every claim is weak.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pinlab.field.errors import ReaderError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.attribution import Skipped, Walked
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.walker import load
from pinlab.field.machine import pagemap
from pinlab.names import decoded

FALLBACK: Final = "io_uring"
"""The one walker that something can be known without."""
BUFFER = re.compile(r"^\s*(\d+): (?:0x)?([0-9a-f]+)/(\d+)$", re.MULTILINE)


def walk(proc: Path = Path("/proc"), pid: int | None = None) -> Walked:
    """The registered buffers of one process, or of every one that we may look at.

    Raises ReaderError if that one may not be looked at, or has ended.
    """
    claims: list[Claim] = []
    denied = 0
    if pid is not None:
        try:
            claims += _claims(proc / str(pid))
        except PermissionError:
            raise ReaderError(
                f"process {pid} may not be looked at: it needs CAP_SYS_PTRACE; ask as root"
            ) from None
        except (FileNotFoundError, ProcessLookupError):
            raise ReaderError(f"process {pid} ended while it was looked at") from None
        return Walked(tuple(claims), _blind(), 0)
    for folder in sorted(proc.glob("[0-9]*"), key=lambda each: int(each.name)):
        try:
            claims += _claims(folder)
        except PermissionError:
            denied += 1
        except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
            continue  # it ended meanwhile
    skipped = list(_blind())
    if denied:
        words = f"{denied} processes may not be looked at: it needs CAP_SYS_PTRACE"
        skipped.append(Skipped("io_uring", words))
    return Walked(tuple(claims), tuple(skipped), 0)


def _blind() -> tuple[Skipped, ...]:
    reason = "what they hold is only in kernel memory, which cannot be read here"
    return tuple(Skipped(kind, reason) for kind in load() if kind != FALLBACK)


def _claims(folder: Path) -> Iterator[Claim]:
    pid = int(folder.name)
    command = decoded((folder / "comm").read_bytes().removesuffix(b"\n"))
    for entry in sorted((folder / "fdinfo").iterdir(), key=lambda each: int(each.name)):
        try:
            text = decoded(entry.read_bytes())
        except FileNotFoundError:
            continue
        for index, address, length in buffers(text):
            yield Claim(
                "io_uring",
                f"buffer {index}",
                (Owner(pid, command, int(entry.name)),),
                _frames(address, length, pid),
                address=address,
                length=length,
                accounted_in=(Accounted.VM_PIN,),
                weak=True,
            )


def buffers(fdinfo: str) -> list[tuple[int, int, int]]:
    """Index, address and length of each registered buffer in the fdinfo of a ring."""
    _, found, rest = fdinfo.partition("UserBufs:")
    if not found:
        return []
    section = re.split(r"^\w+:", rest.partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [(int(i), int(at, 16), int(size)) for i, at, size in BUFFER.findall(section)]


def _frames(address: int, length: int, pid: int) -> Extents:
    try:
        return Extents.of_pages(pagemap.frames(address, length, pid))
    except ReaderError:
        return Extents()
