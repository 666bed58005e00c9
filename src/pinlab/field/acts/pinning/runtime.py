"""What a hold left behind when it was killed, and how to clear it away.

Nearly nothing can be left: rings, sockets, pipes and mappings end with their process, the FUSE
mount is attached nowhere and ends with its last descriptor, the loop device clears itself when
it is last closed, and the server gets SIGKILL with its parent. For the rest (a kernel that did
not do one of these) each hold writes down its server and its loop device before it uses them,
and `sweep` clears what a dead hold wrote down: a process only if pid and start time are those
written down, a loop device only if it bears the name that the hold gave it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pinlab.field.errors import FieldError

# linux/loop.h
LOOP_CLR_FD: Final = 0x4C01
LOOP_GET_STATUS64: Final = 0x4C05
LOOP_INFO64: Final = 232
LO_FILE_NAME: Final = slice(56, 120)
MOST_PIDS: Final = 1 << 22
"""PID_MAX_LIMIT, include/linux/threads.h."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be taken for another: pid and start time, in ticks since boot."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process `pid` is now. Raises OSError if there is none."""
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        if fields[0] in b"ZX":
            raise ProcessLookupError(f"process {pid} has ended")
        return cls(pid, int(fields[19]))

    @property
    def alive(self) -> bool:
        """Whether it still runs, and is the one that was meant."""
        try:
            return Process.of(self.pid) == self
        except OSError:
            return False

    def kill(self) -> bool:
        """Kill it; False if it was gone. A pidfd keeps it from being another by then."""
        try:
            with os.fdopen(os.pidfd_open(self.pid)) as file:
                if not self.alive:
                    return False
                signal.pidfd_send_signal(file.fileno(), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop device, and the name that its maker gave it (lo_file_name)."""

    device: str
    name: str

    def detach(self) -> bool:
        """Detach it; False if it is not ours any more."""
        try:
            fd = os.open(self.device, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, ValueError):
            return False
        try:
            status = bytearray(LOOP_INFO64)
            fcntl.ioctl(fd, LOOP_GET_STATUS64, status)
            if bytes(status[LO_FILE_NAME]).rstrip(b"\0") != self.name.encode():
                return False
            fcntl.ioctl(fd, LOOP_CLR_FD)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True


@dataclass(slots=True)
class Record:
    """What one hold uses that could outlive it; written to its file at each change."""

    path: Path
    holder: Process
    servers: list[Process] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    def write(self) -> None:
        """Replace the file."""
        body = {
            "boot": _boot(),
            "holder": [self.holder.pid, self.holder.start],
            "servers": [[each.pid, each.start] for each in self.servers],
            "loops": [[each.device, each.name] for each in self.loops],
        }
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(body), encoding="utf-8")
        new.replace(self.path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file; None if it is of another boot, or no record."""
        try:
            if not path.is_file():  # to open a pipe waits for ever
                return None
            body = json.loads(path.read_text(encoding="utf-8"))
            if body["boot"] != _boot():
                return None
            found = cls(
                path,
                Process(*map(int, body["holder"])),
                [Process(*map(int, each)) for each in body["servers"]],
                [Loop(*map(str, each)) for each in body["loops"]],
            )
        except (OSError, OverflowError, RecursionError, ValueError, KeyError, TypeError):
            return None
        processes = (found.holder, *found.servers)
        named = all(each.device.startswith("/dev/loop") for each in found.loops)
        return found if named and all(0 < each.pid <= MOST_PIDS for each in processes) else None

    @contextmanager
    def server(self, pid: int) -> Iterator[None]:
        """Note a server while the block runs."""
        process = Process.of(pid)
        self.servers.append(process)
        self.write()
        try:
            yield
        finally:
            self.servers.remove(process)
            self.write()

    @contextmanager
    def loop(self, device: str, name: str) -> Iterator[None]:
        """Note a loop device while the block runs; begin before it is set up."""
        loop = Loop(device, name)
        self.loops.append(loop)
        self.write()
        try:
            yield
        finally:
            self.loops.remove(loop)
            self.write()


@dataclass(frozen=True, slots=True)
class Swept:
    """What `sweep` found."""

    stale: int
    """Holds that were killed."""
    running: int
    """Holds that still run, which are left alone."""
    servers: tuple[int, ...]
    """Servers killed, by pid."""
    loops: tuple[str, ...]
    """Loop devices detached."""


def folder() -> Path:
    """Our runtime folder, made if need be. Raises FieldError if somebody else has its name."""
    uid = os.getuid()
    at = next((base for base in _bases(uid) if os.access(base, os.W_OK)), None)
    made = Path(f"/tmp/pinlab-{uid}") if at is None else at / "pinlab"
    with contextlib.suppress(FileExistsError):
        made.mkdir(mode=0o700)
    found = made.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise FieldError(f"{made} is not a folder of ours with mode 0700; remove it")
    return made


def _bases(uid: int) -> Iterator[Path]:
    if named := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(named)
    yield Path(f"/run/user/{uid}")


@contextmanager
def record() -> Iterator[Record]:
    """A record of our own, removed at the end."""
    holder = Process.of(os.getpid())
    made = Record(folder() / f"hold-{holder.pid}-{os.urandom(4).hex()}.json", holder)
    made.write()
    try:
        yield made
    finally:
        made.path.unlink(missing_ok=True)


def sweep() -> Swept:
    """Clear away what killed holds have left; holds that run are left alone."""
    stale = running = 0
    servers: list[int] = []
    loops: list[str] = []
    for path in sorted(folder().glob("hold-*")):
        if path.suffix == ".new" and Path(f"/proc/{path.name.split('-')[1]}").exists():
            continue  # its writer is about to give it its name
        found = Record.read(path)
        if found is not None and found.holder.alive:
            running += 1
            continue
        if found is not None:
            stale += 1
            servers += [each.pid for each in found.servers if each.kill()]
            loops += [each.device for each in found.loops if each.detach()]
        with contextlib.suppress(IsADirectoryError, PermissionError):  # a folder is not ours
            path.unlink(missing_ok=True)
    return Swept(stale, running, tuple(servers), tuple(loops))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
