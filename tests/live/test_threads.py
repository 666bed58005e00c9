"""Threads: their numbers are their process's, their descriptors may be their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pinlab.field.holders.attribution import attribute
from pinlab.field.holders.claim import ENDED, Mapped
from pinlab.field.holders.target import Sort, Target, answer, of_thread
from pinlab.field.machine.pagemap import PAGE
from pinlab.field.memory.live import LiveReader

pytestmark = pytest.mark.live

COMMON = """
import ctypes, mmap, os, threading, time
lib = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 1 << 16, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); m[:] = b"m" * len(m)
start = ctypes.addressof(ctypes.c_char.from_buffer(m))
def register():
    fd = lib.syscall(425, 4, ctypes.create_string_buffer(120))
    vector = (ctypes.c_size_t * 2)(start, len(m))
    assert fd >= 0 and lib.syscall(427, fd, 0, vector, 1) == 0
    return fd
"""

OWN_TABLE = """
def thread():
    assert lib.unshare(0x400) == 0  # CLONE_FILES
    fd = register()
    print(os.getpid(), threading.get_native_id(), fd, flush=True)
    time.sleep(60)
threading.Thread(target=thread).start()
"""

PAYER_ENDS = """
fd = register()
if os.fork():
    os._exit(0)
time.sleep(0.2)
print(os.getpid(), os.getpid(), fd, flush=True)
time.sleep(60)
"""

TWICE = """
r, w = os.pipe()
vector = (ctypes.c_size_t * 2)(start, 4096)
for _ in range(5):
    assert lib.vmsplice(w, vector, 1, 0) == 4096
print(os.getpid(), os.getpid(), w, flush=True)
time.sleep(60)
"""


@contextmanager
def running(code: str) -> Iterator[tuple[int, int, int]]:
    """A program: its process, a thread of it, a descriptor."""
    words = [sys.executable, "-c", COMMON + code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            pid, tid, fd = map(int, process.stdout.readline().split())
            yield pid, tid, fd
        finally:
            subprocess.run(["pkill", "-9", "-s", str(process.pid)], check=False)
            process.kill()


def test_a_thread_is_its_process(live: LiveReader) -> None:
    with running(OWN_TABLE) as (pid, tid, fd):
        target = of_thread(Target(Sort.process, tid))
        assert target.number == pid
        assert str(target) == f"process {pid}, of which {tid} is a thread"
        found = answer(live, attribute(live), target)
        assert found.pins
        (owner,) = found.shares[0].claim.owners
        assert (owner.pid, owner.fd, owner.by) == (pid, fd, f"thread {tid}")


def test_pins_may_be_counted_in_a_process_that_ended(live: LiveReader) -> None:
    with running(PAYER_ENDS) as (pid, _, _):
        found = answer(live, attribute(live), Target(Sort.process, pid))
        (share,) = [it for it in found.shares if it.claim.kind == "io_uring"]
        assert share.claim.payer == ENDED


def test_a_page_that_is_held_five_times_is_one_page(live: LiveReader) -> None:
    with running(TWICE) as (pid, _, _):
        shares = answer(live, attribute(live), Target(Sort.process, pid)).shares
        (claim,) = [it.claim for it in shares if it.claim.kind == "pipe"]
        assert (claim.extents.total, claim.extents.frames) == (5, 1)
        assert (claim.length, claim.mapped) == (PAGE, Mapped.there)
