"""A guest, from its boot to its end, which is ours at the latest."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from pinlab.guest import agent, archive, root
from pinlab.guest.kernel import GuestError, Kernel

MODULES: Final = (
    *("loop", "fuse", "ext4", "crc32c_generic", "xfs", "nd_e820", "nd_pmem"),
    *("xxhash_generic", "blake2b_generic", "sha256_generic", "btrfs"),
)
"""Those not there are built in. The file systems ask for hashes by name, not by dependency."""

CPU: Final = "Nehalem,+rdrand"
"""What Python asks for before there is a device: random numbers."""

MEMORY: Final = "2G"
PMEM: Final = "400M!1G"
"""Of it, what the kernel is told is persistent memory: /dev/pmem0, a place for FS-DAX."""

BOOT: Final = 180.0
"""Seconds until a guest must be ready. It takes 6 to 20 on a core without anything else to do."""

_PARAMETERS: Final = "console=ttyS0 panic=-1 mitigations=off quiet rdinit=/init"
_PR_SET_PDEATHSIG: Final = 1
_PANIC: Final = "Kernel panic"
_TAIL: Final = 600
"""Characters of the console that are told when a guest fails."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said in a guest."""

    status: int
    out: str
    err: str
    seconds: float


@dataclass(slots=True)
class Guest:
    """A guest that is ready."""

    kernel: Kernel
    failed: tuple[str, ...]
    """What it could not mount or load."""
    process: subprocess.Popen[bytes]
    orders: socket.socket
    console: IO[bytes]
    pending: bytes = b""

    def run(self, words: Sequence[str], seconds: float) -> Done:
        """Have pinlab run a command there. Raises GuestError if it takes longer than `seconds`, or
        the guest ends."""
        return self._order("run", words, seconds)

    def begin(self, words: Sequence[str], seconds: float) -> Done:
        """Have it start a command that goes on: what that says first. Raises GuestError."""
        return self._order("begin", words, seconds)

    def stop(self, seconds: float) -> Done:
        """Have it end what goes on: by the worst status. Raises GuestError."""
        return self._order("stop", (), seconds)

    def _order(self, what: str, words: Sequence[str], seconds: float) -> Done:
        self.orders.sendall(json.dumps([what, list(words)]).encode() + b"\n")
        said = self._line(seconds, f"no answer to `pinlab {' '.join(words)}`")
        return Done(*said)

    def _line(self, seconds: float, missed: str) -> Any:
        deadline = time.monotonic() + seconds
        while b"\n" not in self.pending:
            self.orders.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                more = self.orders.recv(1 << 16)
            except TimeoutError:
                raise self._error(f"{missed} in {seconds:g} s") from None
            except OSError:
                more = b""
            if not more:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
                raise self._error(f"{missed}: the guest has ended")
            self.pending += more
        line, _, self.pending = self.pending.partition(b"\n")
        try:
            return json.loads(line)
        except ValueError:
            raise self._error(f"{missed}: what came is no answer") from None

    def _error(self, why: str) -> GuestError:
        self.console.seek(0)
        said = " ".join(self.console.read().decode("utf-8", "replace").split())
        # behind the word of a panic come registers
        said = said[: end + _TAIL // 4] if (end := said.find(_PANIC)) >= 0 else said
        last = f"; its console ends with: {said[-_TAIL:]}" if said else ""
        return GuestError(f"the guest of {self.kernel.release} gave {why}{last}")


@contextmanager
def boot(kernel: Kernel, *, seconds: float = BOOT) -> Iterator[Guest]:
    """Boot a kernel and wait until it takes orders. Raises GuestError."""
    with ExitStack() as stack:
        initrd = stack.enter_context(_initrd(kernel))
        console = stack.enter_context(tempfile.TemporaryFile())
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            process = subprocess.Popen(
                command(kernel, initrd.fileno(), theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                pass_fds=(initrd.fileno(), theirs.fileno()),
                preexec_fn=_end_with(os.getpid()),
            )
        stack.callback(process.wait)
        stack.callback(process.kill)
        guest = Guest(kernel, (), process, ours, console)
        guest.failed = tuple(guest._line(seconds, "no sign of life"))
        yield guest


def command(kernel: Kernel, initrd: int, orders: int) -> list[str]:
    """How QEMU is started: with an initrd and a socket for orders, both open; the console is its
    standard output. Raises GuestError."""
    if platform.machine() != "x86_64":
        raise GuestError("a guest runs the programs of this machine, which must be x86-64")
    qemu = shlex.split(os.environ.get("PINLAB_QEMU", "qemu-system-x86_64"))
    if not qemu or shutil.which(qemu[0]) is None:
        raise GuestError(
            f"there is no {qemu[0] if qemu else 'QEMU'}; install it (Debian: apt-get install "
            "qemu-system-x86), or say where it is with PINLAB_QEMU"
        )
    scratch = agent.SCRATCH
    environment = f"PYTHONPATH={root.path()} TMPDIR={scratch} XDG_RUNTIME_DIR={scratch}"
    return [
        *qemu,
        *("-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", MEMORY),
        *("-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"),
        *("-kernel", str(kernel.image), "-initrd", f"/proc/self/fd/{initrd}"),
        *("-serial", "stdio", "-chardev", f"socket,id=orders,fd={orders}"),
        *("-serial", "chardev:orders"),
        *("-append", f"{_PARAMETERS} memmap={PMEM} {environment}"),
    ]


@contextmanager
def _initrd(kernel: Kernel) -> Iterator[IO[bytes]]:
    """The root and, behind it, what is this kernel's; a file without a name."""
    modules = {
        f"{str(agent.MODULES)[1:]}/{number:03d}-{name}.ko": content
        for number, (name, content) in enumerate(kernel.load(MODULES).items())
    }
    init = f"#!{root.python()}\n{Path(agent.__file__).read_text()}"
    whole = root.root()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=root.folder()))
            with whole.open("rb") as made:
                shutil.copyfileobj(made, file, 1 << 20)
            archive.write(file, {"init": init.encode(), **modules})
            file.flush()
        except OSError as error:
            raise GuestError(
                f"what a guest starts from cannot be written to {root.folder()}: {error.strerror}"
            ) from error
        yield file


def _end_with(parent: int) -> Any:
    """What has the kernel kill a child when we end, however we do."""
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask
