"""What is counted against RLIMIT_MEMLOCK is what the kernel counts, to the page."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pinlab.field.holders.charges import memlock
from pinlab.field.memory.live import LiveReader
from tests.live.made import PROGRAMS, Program, running
from tests.live.test_hold_command import COMMAND

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv"),
]

MEMLOCK = resource.RLIMIT_MEMLOCK
LARGEST = (1 << 64) - 1
COUNTED = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock")
"""Whoever has CAP_IPC_LOCK is not counted."""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: f"{each.module}-{each.way}")
def test_the_two_sums_are_equal(live: LiveReader, program: Program) -> None:
    try:
        with running(program, *COUNTED):
            found = memlock(live, os.getuid())
    except RuntimeError as error:
        pytest.skip(f"{program.what}: {error}")
    assert found.settled
    assert found.found == found.counted
    assert found.limit is not None and found.limit <= resource.getrlimit(MEMLOCK)[0] & LARGEST


def test_what_is_mlocked_is_what_proc_says(live: LiveReader) -> None:
    locked = "import mmap, ctypes; m = mmap.mmap(-1, 1 << 16); libc = ctypes.CDLL(None); "
    locked += "at = ctypes.addressof(ctypes.c_char.from_buffer(m)); "
    locked += "print(libc.mlock(ctypes.c_void_p(at), 1 << 16), flush=True); input()"
    line = [sys.executable, "-c", locked]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"0\n"
        found = memlock(live, os.getuid())
        said = sum(_vm_lck(path) for path in Path("/proc").glob("[0-9]*/status"))
        process.communicate(b"\n")
    assert found.mlocked * 4 == said >= 64


def _vm_lck(status: Path) -> int:
    """KiB that a process of ours has locked."""
    try:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    except OSError:
        return 0
    own = int(lines["Uid"].split()[0]) == os.getuid()
    return int(lines["VmLck"].split()[0]) if own and "VmLck" in lines else 0


def test_many_at_once_by_the_command(live: LiveReader) -> None:
    with ExitStack() as stack:
        for way in ("provided", "region", "no_mmap", "request", "zero_copy"):
            (program,) = [each for each in PROGRAMS if each.way == way]
            stack.enter_context(running(program, *COUNTED))
        words = ["who", "--user", str(os.getuid()), "--json"]
        ended = subprocess.run([*COMMAND, *words], capture_output=True, text=True)
    said = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert said["schema"] == "pinlab.memlock/1"
    assert said["found"] == said["counted"] == sum(each["pages"] for each in said["charges"]) > 64
    kinds = {each["kind"] for each in said["charges"]}
    assert kinds == {"io_uring", "socket"}
