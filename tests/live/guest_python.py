"""A stock kernel under QEMU that runs pinlab itself.

The guest's root is an image of what this Python needs, read-only. Commands go in with the initrd,
what they said comes out on a raw disk, and the guest ends by itself. Refused: KVM, which is not
everywhere, and may hang where it is nested; a shared folder, for which stock kernels lack 9p.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pinlab
from tests.live import guest

INIT = Path(__file__).with_name("guest_python_init.c")
AGENT = Path(__file__).with_name("guest_agent.py")

PACKAGES = (
    *("annotated_doc", "annotated_types", "click", "markdown_it", "mdurl", "numpy", "numpy.libs"),
    *("pyarrow", "pydantic", "pydantic_core", "pygments", "rich", "shellingham", "typer"),
    *("typing_extensions.py", "typing_inspection"),
)
"""Of site-packages, what the field and the command line import; those not there are not needed."""
TOOLS = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
MODULES = (
    *("virtio_pci", "virtio_blk", "loop", "fuse", "crc32c_generic", "xfs"),
    *("xxhash_generic", "blake2b_generic", "sha256_generic", "btrfs"),
)
"""Those not there are built in. The file systems ask for hashes by name, not by dependency."""
LEFT_OUT = shutil.ignore_patterns(
    *("site-packages", "test", "tests", "idlelib", "config-*", "include", "*.a", "*.pyx", "*.pxi")
)
FOLDERS = ("dev", "proc", "run", "sys")
DISK = 16 << 20
"""Bytes of the disk for what commands said."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said."""

    status: int
    out: str
    err: str
    seconds: float


def image(folder: Path) -> Path:
    """A file system with Python, pinlab and the tools, to be shared by guests. Raises Missing."""
    mkfs = tool("mkfs.ext4")
    if mkfs is None:
        raise guest.Missing("mkfs.ext4 is not installed")
    root, made = folder / "root", folder / "image"
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    programs = [Path(sys.executable).resolve(), *filter(None, map(tool, TOOLS))]
    for path in programs:
        _copy(path, root)
    _copy(Path(sysconfig.get_path("stdlib")), root)
    for name in PACKAGES:
        if (_site() / name).exists():
            _copy(_site() / name, root)
    _copy(_source(), root)
    shutil.copy(AGENT, root / "agent.py")
    for library in _libraries([*programs, *root.rglob("*.so*")]):
        if not (root / library.relative_to("/")).exists():
            _copy(library, root)
    command = [str(mkfs), "-q", "-O", "^has_journal", "-d", str(root), str(made), "1G"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise guest.Missing(f"mkfs.ext4 cannot fill an image: {done.stderr[-300:]}")
    shutil.rmtree(root)
    return made


def run(
    kernel: Path, image: Path, commands: Sequence[Sequence[str]], folder: Path, *, seconds: float
) -> list[Done]:
    """What each of pinlab's commands says, one after the other. Raises Missing.

    A guest that takes longer than `seconds`, or dies before it ran them all, is an AssertionError.
    """
    disk = folder / "disk"
    disk.write_bytes(bytes(DISK))
    files = _modules(kernel)
    files["init"] = guest.compiled(INIT, folder)
    files["commands"] = json.dumps([list(words) for words in commands]).encode()
    environment = f"PYTHONPATH={_source()}:{_site()} TMPDIR=/run XDG_RUNTIME_DIR=/run"
    python = Path(sys.executable).resolve()
    command = [
        *guest.machine(kernel, files, folder),
        *("-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-m", "2G"),
        *("-drive", f"file={image},format=raw,if=virtio,readonly=on"),
        *("-drive", f"file={disk},format=raw,if=virtio"),
        *("-append", f"{guest.APPEND} {environment} -- {python} /agent.py"),
    ]
    try:
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        ).stdout
    except subprocess.TimeoutExpired:
        said = f"it did not end within {seconds:g} s; "
    lines = disk.read_bytes().rstrip(b"\0").decode().splitlines()
    console = folder / "console"
    if len(lines) < len(commands):
        said += console.read_text(errors="replace")[-2000:] if console.exists() else ""
        raise AssertionError(f"the guest ran {len(lines)} of {len(commands)} commands: {said}")
    return [Done(*json.loads(line)) for line in lines]


def _source() -> Path:
    """The folder that has pinlab."""
    return Path(pinlab.__file__).parent.parent


def _site() -> Path:
    """The folder that has the packages."""
    return Path(sysconfig.get_path("purelib"))


def tool(name: str) -> Path | None:
    """Where a program is, also if the path is not root's."""
    found = shutil.which(name, path=f"/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}")
    return None if found is None else Path(found)


def _copy(path: Path, root: Path) -> None:
    """A file or a folder to where it is here, links followed, times kept (for compiled files)."""
    to = root / path.relative_to("/")
    if path.is_dir():
        shutil.copytree(path, to, ignore=LEFT_OUT, dirs_exist_ok=True)
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)


def _libraries(programs: Iterable[Path]) -> list[Path]:
    """What the dynamic linker finds for them."""
    done = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False)
    return sorted({Path(found) for found in re.findall(r"(?:=> |^\t)(/\S+)", done.stdout, re.M)})


def _modules(kernel: Path) -> dict[str, bytes]:
    """The modules and those they depend on, named in the order of loading."""
    ordered: dict[str, bytes] = {}
    for name in MODULES:
        _add(kernel, name, ordered)
    return {
        f"modules/{number:02d}-{name}.ko": content
        for number, (name, content) in enumerate(ordered.items())
    }


def _add(kernel: Path, name: str, ordered: dict[str, bytes]) -> None:
    if name in ordered:
        return
    try:
        content = guest.module(kernel, f"{name}.ko")
    except guest.Missing:
        return
    for needed in _depends(content):
        _add(kernel, needed, ordered)
    ordered[name] = content


def _depends(module: bytes) -> Iterator[str]:
    """What a module says it depends on (modinfo)."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    yield from found[1].decode().split(",") if found and found[1] else ()
