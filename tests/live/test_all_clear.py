"""Where something is held, nobody says that nothing is; each was once answered "0 pins"."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinlab.field.acts.pinning.kind import Held
from tests.live import needs

pytestmark = pytest.mark.live

PINLAB = [sys.executable, "-c", "from pinlab.cli import main; main()"]
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc"]

AIO = """
import ctypes, mmap, os, struct, sys, time
lib = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[:] = b"a" * 65536
a = ctypes.addressof((ctypes.c_char * 65536).from_buffer(m))
d = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
context = ctypes.c_ulong(0)
assert lib.syscall(206, 8, ctypes.byref(context)) == 0
block = struct.pack("QIiHhIQQqQII", 0, 0, 0, 0, 0, d, a, 65536, 0, 0, 0, 0)
request = ctypes.create_string_buffer(block)
pointer = ctypes.c_void_p(ctypes.addressof(request))
assert lib.syscall(209, context, 1, ctypes.byref(pointer)) == 1
print("ready", hex(a), flush=True); time.sleep(60)
"""
"""One libaio read of 64 KiB of a device, left in flight."""

URING = """
import ctypes, mmap, os, struct, sys, time
lib = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[:] = b"u" * 65536
a = ctypes.addressof((ctypes.c_char * 65536).from_buffer(m))
d = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
setup = ctypes.create_string_buffer(120)
ring = lib.syscall(425, 8, setup)
assert ring >= 0
_, tail, _, _, _, _, array = struct.unpack_from("7I", setup, 40)
queue, entries = mmap.mmap(ring, 4096, offset=0), mmap.mmap(ring, 4096, offset=0x10000000)
entries[:64] = struct.pack("BBHiQQI36x", 22, 0, 0, d, 0, a, 65536)  # IORING_OP_READ
struct.pack_into("I", queue, array, 0); struct.pack_into("I", queue, tail, 1)
assert lib.syscall(426, ring, 1, 0, 0, None, 0) == 1
print("ready", hex(a), flush=True); time.sleep(60)
"""
"""The same by io_uring."""

SPLICED = """
import ctypes, mmap, os, sys, time
lib = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[:] = b"z" * 4096
vector = (ctypes.c_size_t * 2)(ctypes.addressof(ctypes.c_char.from_buffer(m)), 4096)
pipes = []
for n in range(int(sys.argv[1])):
    if n % 16 == 0:
        pipes.append(os.pipe())
    assert lib.vmsplice(pipes[-1][1], vector, 1, 0) == 4096
print("ready", flush=True); time.sleep(60)
"""
"""One page so many times in pipes: plain references, and no pin."""


INTO_A_FILE = AIO.replace(
    "m = mmap.mmap(-1, 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
    "m = mmap.mmap(os.open(sys.argv[2], os.O_RDWR), 65536)",
)
"""The same read, into a shared mapping of a file."""


@contextmanager
def child(text: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until the test is done with it, once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", text, *words], stdout=subprocess.PIPE, text=True
    )
    _started.append(process)
    assert process.stdout is not None
    try:
        if not process.stdout.readline().startswith("ready"):
            pytest.skip("the program of this test is refused here")
        yield process
    finally:
        process.stdout.close()
        process.kill()


_started: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    """Wait for what was killed; what is in D ends only with what it waits for."""
    yield
    while _started:
        _started.pop().wait(timeout=30)


def pinlab(*words: str, before: tuple[str, ...] = ()) -> tuple[int, dict[str, Any], str]:
    """Status, JSON and standard error of a command."""
    done = subprocess.run([*before, *PINLAB, *words, "--json"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture
def withheld(_ended: None) -> Iterator[str]:
    """A loop device that answers no read."""
    with needs.hold("bio", 4096) as (one,):
        yield disk_of(one)


def disk_of(one: Held) -> str:
    return os.readlink(f"/proc/{one.pid}/fd/{one.fd}")


def owners(answer: dict[str, Any]) -> set[tuple[int, str, str]]:
    """Process, kind and detail of each claim of more than one page."""
    claims = answer["claims"]
    assert isinstance(claims, list)
    return {
        (owner["pid"], claim["kind"], claim["detail"])
        for claim in claims
        if claim["length"] == 65536
        for owner in claim["owners"]
    }


@pytest.mark.parametrize(
    "program",
    [pytest.param(AIO, id="libaio", marks=pytest.mark.slow), pytest.param(URING, id="io_uring")],
)
def test_asynchronous_io_of_a_raw_device_has_its_process(program: str, withheld: str) -> None:
    name = Path(withheld).name
    with child(program, withheld) as process:
        status, answer, _ = pinlab("who", str(process.pid))
        assert owners(answer) == {(process.pid, "bio", f"READ on {name}")}
        assert status == 0

        if program == URING:  # the process ends, a worker of the kernel waits for the ring
            return
        process.send_signal(signal.SIGKILL)
        time.sleep(0.3)  # it waits for its I/O, in D
        status, answer, _ = pinlab("who", str(process.pid))
        assert owners(answer) == {(process.pid, "bio", f"READ on {name}")}


def test_inside_a_pid_namespace_no_process_is_taken_for_another() -> None:
    if subprocess.run([*UNSHARE, "true"]).returncode:
        pytest.skip("PID namespaces are refused here")
    before = tuple(UNSHARE)
    for words in (("who", "1"), ("census", "--check", "--process", "1")):
        status, _, said = pinlab(*words, before=before)
        assert (status, "first PID namespace" in said) == (3, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--process", "4194304"),
        ("--file", "/no/such"),
        ("--file", ""),
        ("--file", "/etc"),
        ("--file", "/dev/null"),
    ],
)
def test_what_does_not_exist_is_not_unpinned(words: tuple[str, str]) -> None:
    with needs.reader():
        status, _, said = pinlab("census", "--check", *words)
        assert (status, said.count("\n")) == (2, 1)


@pytest.mark.parametrize("references", [1030, pytest.param(1700, marks=pytest.mark.slow)])
def test_many_plain_references_are_no_pin(references: int) -> None:
    with needs.reader(), child(SPLICED, str(references)) as process:
        for words in (
            ("who", str(process.pid)),
            ("census", "--check", "--process", str(process.pid)),
        ):
            assert pinlab(*words)[0] in (0, 3)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A file system of our own, of btrfs with a subvolume if that is there, else ext4."""
    made = mount_of(tmp_path, "btrfs") or mount_of(tmp_path, "ext4")
    if made is None:
        pytest.skip("neither btrfs nor ext4 can be made and mounted here")
    yield made
    subprocess.run(["umount", "--lazy", made], check=True)


def mount_of(folder: Path, kind: str) -> Path | None:
    image, place = folder / kind, folder / f"{kind}-mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    mount = ["mount", "-o", "loop", str(image), str(place)]
    for words in ([f"mkfs.{kind}", "-q", str(image)], mount):
        try:
            if subprocess.run(words, capture_output=True).returncode:
                return None
        except FileNotFoundError:
            return None
    return place


def told_of(path: Path, where: str) -> None:
    """A read in flight into a mapping of `path` is seen by all who are asked about it."""
    with child(INTO_A_FILE, where, str(path)) as process:
        assert pinlab("census", "--check", "--file", str(path))[0] == 1
        status, answer, _ = pinlab("who", str(path))
        assert status == 0
        assert process.pid in {pid for pid, _, _ in owners(answer)}


@pytest.mark.slow
def test_a_file_of_overlayfs_is_the_one_below(scratch: Path, withheld: str) -> None:
    for name in ("low", "up", "work", "merged"):
        (scratch / name).mkdir()
    below = f"lowerdir={scratch}/low,upperdir={scratch}/up,workdir={scratch}/work"
    merged = scratch / "merged"
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", below, merged]).returncode:
        pytest.skip("overlayfs cannot be mounted here")
    try:
        (merged / "f").write_bytes(bytes(65536))
        (merged / "other").write_bytes(bytes(65536))
        told_of(merged / "f", withheld)
        assert pinlab("census", "--check", "--file", str(merged / "other"))[0] == 0
        status, _, said = pinlab("watch", "--file", str(merged / "f"), "--for", "1")
        assert (status, "lies on overlayfs" in said) == (2, True)
    finally:
        subprocess.run(["umount", "--lazy", merged], check=True)


@pytest.mark.slow
def test_every_name_of_a_file_is_that_file(scratch: Path, withheld: str) -> None:
    """Btrfs has one device for all subvolumes, and stat(2) has one for each."""
    subprocess.run(["btrfs", "-q", "subvolume", "create", scratch / "sv"], capture_output=True)
    (scratch / "sv").mkdir(exist_ok=True)
    file, hard = scratch / "sv" / "f", scratch / "sv" / "hard"
    file.write_bytes(bytes(65536))
    os.link(file, hard)
    told_of(file, withheld)
    told_of(hard, withheld)


FIFO = SPLICED.replace(
    "pipes.append(os.pipe())", "pipes.append((os.open(sys.argv[2], os.O_RDWR),) * 2)"
)
"""The same, into a pipe that has a name."""


def test_the_pages_in_a_pipe_are_found_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "empty")
    with needs.reader(), child(FIFO, "3", str(tmp_path / "fifo")) as process:
        for path in (tmp_path / "fifo", Path(f"/proc/{process.pid}/fd/3")):
            _, answer, _ = pinlab("who", str(path))
            (claim,) = answer["claims"]
            assert {owner["pid"] for owner in claim["owners"]} == {process.pid}
            assert (claim["kind"], claim["detail"]) == ("pipe", "vmsplice")
        status, answer, _ = pinlab("who", str(tmp_path / "empty"))
        assert (status, answer["claims"]) == (0, [])


def test_a_file_that_is_not_there_is_refused_before_anything_is_walked(tmp_path: Path) -> None:
    done = subprocess.run([*PINLAB, "who", str(tmp_path / "missing"), "--watch", "1"], timeout=30)
    assert done.returncode == 2
