"""Who uses what nobody pins: a file of ours, mapped, open, cached, or none of it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from pinlab.field.census.meant import Meant
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.target import Sort, Target
from pinlab.field.holders.uses import Uses, _of_path, uses
from pinlab.field.machine import pagemap, syscalls
from pinlab.field.memory.live import LiveReader

pytestmark = pytest.mark.live
SIZE = 8 * mmap.PAGESIZE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"x" * SIZE)
    return made


def of(live: LiveReader, path: Path) -> Uses:
    found = uses(live, Target(Sort.file, path=path))
    assert found is not None
    return found


def test_only_the_cache_keeps_it(live: LiveReader, path: Path) -> None:
    found = of(live, path)
    assert (found.cached, found.mapped_by, found.open_by) == (8, (), ())


def test_open_and_mapped_by_us(live: LiveReader, path: Path) -> None:
    with path.open("rb") as file:
        address = syscalls.mmap(SIZE, syscalls.PROT_READ, syscalls.MAP_SHARED, file.fileno())
        try:
            syscalls.touch(address, [0])
            found = of(live, path)
            frame = int(pagemap.frames(address, mmap.PAGESIZE)[0])
            of_frame = uses(live, Target(Sort.frame, frame))
        finally:
            syscalls.munmap(address, SIZE)
        assert [(each.pid, each.address) for each in found.mapped_by] == [(os.getpid(), address)]
        assert [(each.pid, each.fd) for each in found.open_by] == [(os.getpid(), file.fileno())]
        assert of_frame == found


def test_anonymous_memory(live: LiveReader) -> None:
    flags = syscalls.MAP_PRIVATE | syscalls.MAP_ANONYMOUS
    address = syscalls.mmap(mmap.PAGESIZE, syscalls.PROT_READ | syscalls.PROT_WRITE, flags)
    try:
        syscalls.fill(address, mmap.PAGESIZE, 1)
        frame = int(pagemap.frames(address, mmap.PAGESIZE)[0])
        found = uses(live, Target(Sort.frame, frame))
    finally:
        syscalls.munmap(address, mmap.PAGESIZE)
    assert found is not None and found.cached is None
    assert [(each.pid, each.address) for each in found.mapped_by] == [(os.getpid(), address)]


def test_a_process_has_memory(live: LiveReader) -> None:
    found = uses(live, Target(Sort.process, os.getpid()))
    assert found is not None and found.resident is not None
    assert found.resident["anonymous"] > 1 << 20


def test_a_pipe_is_open(live: LiveReader, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert of(live, path) == Uses(None, (), ())
    fd = os.open(path, os.O_RDWR)
    try:
        found = of(live, path)
    finally:
        os.close(fd)
    assert [(each.pid, each.fd) for each in found.open_by] == [(os.getpid(), fd)]


def test_of_everything_nothing_is_said(live: LiveReader) -> None:
    assert uses(live, Target(Sort.everything)) is None


def test_a_file_that_nobody_uses_is_not_said_to_be_cached(live: LiveReader, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert of(live, tmp_path / "empty") == Uses(0, (), ())


def test_of_a_file_that_was_not_looked_at_nothing_is_said(live: LiveReader) -> None:
    """Of FUSE and NFS the frames are not looked at, and they may be cached."""
    assert _of_path(Kernel(live), Meant(("0:0", 1), None)) is None
