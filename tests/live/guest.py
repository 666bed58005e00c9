"""A stock kernel under QEMU with one process in it, which pins memory and says so.

PINLAB_KERNELS names a folder of unpacked kernel packages (`dpkg -x` of Debian's
linux-image-*-cloud-amd64); PINLAB_QEMU the emulator with its options, if it is not on the path.
"""

from __future__ import annotations

import json
import lzma
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("guest_init.c")
MODULE = "qemu_fw_cfg.ko"
APPEND = "console=ttyS0 panic=-1 mitigations=off quiet rdinit=/init"


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


def machine(kernel: Path, files: dict[str, bytes], folder: Path) -> list[str]:
    """The command that boots a kernel with these files, as far as all guests are alike.

    What it prints goes to `console` in the folder. Raises Missing.
    """
    qemu = shlex.split(os.environ.get("PINLAB_QEMU", "qemu-system-x86_64"))
    if shutil.which(qemu[0]) is None:
        raise Missing(f"{qemu[0]} is not installed")
    initrd = folder / "initrd"
    initrd.write_bytes(_archive(files))
    return [
        *qemu,
        *("-smp", "2", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        *("-serial", f"file:{folder / 'console'}"),
    ]


@contextmanager
def boot(kernel: Path, folder: Path) -> Iterator[Guest]:
    """Boot a kernel until it has pinned. Raises Missing."""
    console, qmp = folder / "console", folder / "qmp"
    files = {MODULE: module(kernel, MODULE), "init": compiled(SOURCE, folder)}
    command = [
        *machine(kernel, files, folder),
        *("-accel", "tcg,thread=multi", "-m", "1G", "-append", APPEND),
        *("-qmp", f"unix:{qmp},server=on,wait=off", "-device", "vmcoreinfo"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield _ready(process, console, qmp)
        finally:
            process.kill()


def _ready(process: subprocess.Popen[bytes], console: Path, qmp: Path) -> Guest:
    deadline = time.monotonic() + 120
    text = ""
    while "READY" not in text:
        if process.poll() is not None or time.monotonic() > deadline:
            said = process.stdout.read().decode() if process.stdout and process.poll() else ""
            raise Missing(f"the guest did not come up: {said}{text[-500:]}")
        time.sleep(0.2)
        text = console.read_text(errors="replace") if console.exists() else ""
    words = [line.split() for line in text.splitlines()]
    return Guest(
        qmp,
        tuple(Pin(w[1], int(w[2]), int(w[3], 16)) for w in words if w[:1] == ["PIN"]),
        tuple(w[1] for w in words if w[:1] == ["NONE"]),
    )


def module(kernel: Path, name: str) -> bytes:
    """A module of a kernel's package. Raises Missing."""
    release = kernel.name.removeprefix("vmlinuz-")
    found = sorted(kernel.parent.parent.glob(f"**/{release}/**/{name}*"))
    if not found:
        raise Missing(f"there is no {name} beside {kernel}")
    content = found[0].read_bytes()
    return lzma.decompress(content) if found[0].suffix == ".xz" else content


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


def _archive(files: dict[str, bytes]) -> bytes:
    """A cpio archive as the kernel unpacks (newc), with the console that init writes to."""
    data = b""
    folders = {"dev", *(str(Path(name).parent) for name in files)} - {"."}
    entries = [(name, 0o040755, b"", 0) for name in sorted(folders)]
    entries += [("dev/console", 0o020600, b"", 5 << 8 | 1)]
    entries += [(name, 0o100755, content, 0) for name, content in files.items()]
    for number, (name, mode, content, device) in enumerate([*entries, ("TRAILER!!!", 0, b"", 0)]):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, device >> 8, device & 255)
        head = "070701" + "".join(f"{each:08x}" for each in (*fields, len(name) + 1, 0))
        data += _padded(head.encode() + name.encode() + b"\0") + _padded(content)
    return data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
