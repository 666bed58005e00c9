"""`who` and `census` beside somebody who makes and ends what they look at, under odd names."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pinlab.field.holders.attribution import attribute
from pinlab.field.memory.live import LiveReader
from tests.live import needs

pytestmark = pytest.mark.live

FEW, MANY = 9, 1000
"""Looks that CI takes, and as many as somebody has time for."""
MOST_KIB = 1 << 20
"""Resident memory of a command: 1 GiB."""

CHURN = r"""
import ctypes, mmap, os, random, socket, struct, sys
lib = ctypes.CDLL(None, use_errno=True)
NAMES = [b"\x1b[31mEVIL", b"\xff\xfe-bad", b"a\nb (1) fd 3", "\u202ebad".encode(), b"\x9b2J"]
m = mmap.mmap(-1, 1 << 16, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[:] = b"m" * len(m)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(ctypes.c_char.from_buffer(m)), len(m))
def ring():
    setup = ctypes.create_string_buffer(120)
    fd = lib.syscall(425, 4, setup)
    if fd >= 0:
        lib.syscall(427, fd, 0, vector, 1)
    return fd
def swap():  # register, take back, map other pages there: what is stale only between two looks
    setup = ctypes.create_string_buffer(120)
    fd = lib.syscall(425, 4, setup)
    for _ in range(random.randrange(20)):
        n = mmap.mmap(-1, 1 << 16, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        n[:] = b"n" * len(n)
        own = ctypes.c_char.from_buffer(n)
        lib.syscall(427, fd, 0, (ctypes.c_size_t * 2)(ctypes.addressof(own), len(n)), 1)
        lib.syscall(427, fd, 1, None, 0)
        del own
        n.close()
def talk():
    s, r = socket.socketpair()
    f = os.memfd_create("sent"); os.ftruncate(f, 1 << 16)
    os.sendfile(s.fileno(), f, 0, 1 << 16)
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", f))])
    os.close(f)
    return s, r
def child():
    lib.prctl(15, random.choice(NAMES), 0, 0, 0)
    lib.memfd_create(random.choice(NAMES), 0)
    for _ in range(random.randrange(60)):
        r, w = os.pipe()
        lib.vmsplice(w, vector, 1, 1)
    ring()
    kept = talk()
    swap()
    os._exit(0)
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
print("ready", flush=True)
alive = 0
while os.getppid() != 1:
    if os.fork() == 0:
        child()
    alive += 1
    while alive > 24:
        os.wait(); alive -= 1
"""


@pytest.fixture
def churn() -> Iterator[None]:
    """Two programs of the user nobody that fork, pin, splice and end."""
    if os.geteuid() != 0:
        pytest.skip("another user's processes are needed, which takes root")
    nobody = pwd.getpwnam("nobody")
    words = [sys.executable, "-c", CHURN, str(nobody.pw_uid), str(nobody.pw_gid)]
    running = [
        subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)
    ]
    try:
        for each in running:
            assert each.stdout is not None and each.stdout.readline() == b"ready\n"
        yield
    finally:
        for each in running:
            os.killpg(each.pid, 9)
            each.communicate()


def command(*words: str) -> tuple[int, str, str, int]:
    """Status, output, errors and resident KiB of a command."""
    code = "from pinlab.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said, errors = process.stdout.read(), process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, errors, used.ru_maxrss


COMMANDS = (
    ("census", "--json"),
    ("who", "--all", "--json"),
    ("who", "--all", "--references", "--json"),
)


def looked_at(times: int) -> list[int]:
    """The resident KiB of so many commands of each sort, none of which failed or accused."""
    used, found = [], 0
    for n in range(times):
        status, said, errors, size = command(*COMMANDS[n % len(COMMANDS)])
        assert "Traceback" not in errors, errors
        assert status in (0, 3), said
        assert all(line.isprintable() for line in said.split("\n"))
        used.append(size)
        found += len(json.loads(said).get("claims", ()))
    assert max(used) < MOST_KIB
    assert found, "there was nothing to look at"
    return used


@pytest.mark.slow
@pytest.mark.usefixtures("churn")
def test_nobody_is_accused_and_nothing_fails() -> None:
    with needs.reader():
        looked_at(FEW)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("churn")
def test_nor_in_many() -> None:
    with needs.reader():
        started = time.monotonic()
        used = looked_at(MANY)
        tenth = len(used) // 10
        growth = max(used[-tenth:]) / max(used[:tenth])
        print(f"{len(used)} commands in {time.monotonic() - started:.0f} s, {max(used)} KiB")
        assert growth < 1.5


@pytest.mark.exhaustive
@pytest.mark.usefixtures("churn")
def test_a_thousand_looks_accuse_nobody(live: LiveReader) -> None:
    """Neither of a pin nor of a reference, nor of stale memory; only what is not sure is left."""
    started, claims = time.monotonic(), 0
    for look in range(1, MANY + 1):
        found = attribute(live, references=True)
        claims += len(found.shares)
        assert found.agrees
        assert not found.strangers.any()
        assert not any(share.stale for share in found.shares)
        if look % 50 == 0:
            spent = time.monotonic() - started
            print(f"{look:,} looks in {spent:.0f} s at {claims:,} claims", flush=True)


@pytest.mark.slow
@pytest.mark.usefixtures("churn")
def test_who_tells_no_fewer_pins_of_a_process_than_the_census() -> None:
    with needs.hold("io_uring", 1 << 20) as (one,), needs.reader():
        for _ in range(2):
            _, said, _, _ = command("census", "--process", str(one.pid), "--limit", "0", "--json")
            placed = sum(folio["pins"] for folio in json.loads(said)["folios"])
            _, said, _, _ = command("who", str(one.pid), "--json")
            told = json.loads(said)["totals"]
            assert told["pins"] >= placed > 0
