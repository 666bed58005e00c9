"""A stock kernel under QEMU with one process in it, which pins memory and says so.

PINLAB_KERNELS names a folder of unpacked kernel packages (`dpkg -x` of Debian's
linux-image-*-cloud-amd64); PINLAB_QEMU the emulator with its options, if it is not on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pinlab.guest import archive, machine
from pinlab.guest.kernel import GuestError, kernel

SOURCE = Path(__file__).with_name("guest_init.c")
MODULE = "qemu_fw_cfg"
"""Which tells QEMU where the kernel is, for a dump."""


class Missing(Exception):
    """What a guest needs and this machine has not."""


def kernels() -> list[Path]:
    """The kernels there are, oldest first. Raises Missing."""
    folder = os.environ.get("PINLAB_KERNELS")
    if not folder:
        raise Missing("PINLAB_KERNELS names no folder of unpacked kernel packages")
    found = sorted(Path(folder).glob("**/boot/vmlinuz-*"))
    if not found:
        raise Missing(f"there is no boot/vmlinuz-* below {folder}")
    return found


def parameters() -> list[object]:
    """The kernels for a test's parameters; without any it is skipped."""
    try:
        return [pytest.param(each, id=each.name) for each in kernels()]
    except Missing as missing:
        return [pytest.param(None, marks=pytest.mark.skip(reason=str(missing)))]


@dataclass(frozen=True, slots=True)
class Pin:
    """A frame that the guest says it pinned, and where it mapped it."""

    what: str
    pfn: int
    address: int


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that has pinned and waits."""

    qmp: Path
    pins: tuple[Pin, ...]
    refused: tuple[str, ...]

    def dump(self, path: Path) -> None:
        """Write its memory to a file, as a crashed kernel would leave it."""
        with socket.socket(socket.AF_UNIX) as link, link.makefile("rw") as file:
            link.settimeout(60)
            link.connect(str(self.qmp))
            file.readline()
            for command, arguments in (
                ("qmp_capabilities", {}),
                ("dump-guest-memory", {"paging": False, "protocol": f"file:{path}"}),
            ):
                file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                file.flush()
                while "return" not in (answer := json.loads(file.readline())):
                    assert "error" not in answer, answer


@contextmanager
def boot(image: Path, folder: Path) -> Iterator[Guest]:
    """Boot a kernel, as pinlab does but for its first program, until that has pinned. Raises
    Missing."""
    console, qmp = folder / "console", folder / "qmp"
    with ExitStack() as stack:
        _ours, orders = map(stack.enter_context, socket.socketpair())
        initrd = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        try:
            booted = kernel(image)
            command = machine.command(booted, initrd.fileno(), orders.fileno())
            module = booted.load([MODULE])
        except GuestError as error:
            raise Missing(str(error)) from error
        files = {f"{name}.ko": content for name, content in module.items()}
        archive.write(initrd, {"init": compiled(SOURCE, folder), **files})
        initrd.flush()
        process = subprocess.Popen(
            [*command, "-qmp", f"unix:{qmp},server=on,wait=off", "-device", "vmcoreinfo"],
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(console.open("wb")),
            stderr=subprocess.STDOUT,
            pass_fds=(initrd.fileno(), orders.fileno()),
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield _ready(process, console, qmp)


def _ready(process: subprocess.Popen[bytes], console: Path, qmp: Path) -> Guest:
    deadline = time.monotonic() + 120
    text = ""
    while "READY" not in text:
        if process.poll() is not None or time.monotonic() > deadline:
            raise Missing(f"the guest did not come up: {text[-500:]}")
        time.sleep(0.2)
        text = console.read_text(errors="replace")
    words = [line.split() for line in text.splitlines()]
    return Guest(
        qmp,
        tuple(Pin(w[1], int(w[2]), int(w[3], 16)) for w in words if w[:1] == ["PIN"]),
        tuple(w[1] for w in words if w[:1] == ["NONE"]),
    )


def compiled(source: Path, folder: Path) -> bytes:
    """A program of one C file that needs no library. Raises Missing."""
    if shutil.which("gcc") is None:
        raise Missing("gcc is not installed")
    program = folder / "program"
    command = ["gcc", "-O1", "-static", "-w", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"gcc cannot link statically: {done.stderr[-300:]}")
    return program.read_bytes()
