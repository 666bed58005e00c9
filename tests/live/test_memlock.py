"""What is counted against RLIMIT_MEMLOCK is what the kernel counts, to the page."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from contextlib import ExitStack

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
