"""What each way of pinning adds to nr_foll_pin_acquired and _released: the golden table."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinlab.field.acts.pinning.memory import HUGE, Memory, buffer
from pinlab.field.errors import FieldError
from pinlab.field.machine import syscalls
from pinlab.field.memory.live import LiveReader
from tests.live import needs

pytestmark = pytest.mark.live

PAGE = 4096
MEGABYTE = 1 << 20
TRIES = 10


@pytest.fixture(scope="module")
def reader() -> Iterator[LiveReader]:
    with needs.reader() as reader:
        yield reader


@pytest.fixture
def direct(tmp_path: Path) -> Iterator[int]:
    """A file of 1 MiB, open for direct I/O."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(MEGABYTE))
    try:
        fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    except OSError as error:
        pytest.skip(f"the file system of {tmp_path} has no O_DIRECT: {error.strerror}")
    os.fsync(fd)
    yield fd
    os.close(fd)


def moved(reader: LiveReader, action: Callable[[], object]) -> tuple[int, int]:
    """What an action added to the two counters."""
    before = reader.counters()
    action()
    after = reader.counters()
    names = ("nr_foll_pin_acquired", "nr_foll_pin_released")
    first, second = (after[name] - before[name] for name in names)
    return first, second


def assert_moves(
    reader: LiveReader, expected: tuple[int, int], action: Callable[[], object]
) -> None:
    """It adds exactly that. Others pin too, so it may take some tries to see it alone."""
    for _ in range(TRIES):
        found = moved(reader, action)
        if found == expected:
            return
        time.sleep(0.1)
    assert found == expected


def test_nothing(reader: LiveReader) -> None:
    assert_moves(reader, (0, 0), lambda: time.sleep(0.05))


@pytest.mark.parametrize("length", [MEGABYTE, PAGE])
def test_direct_read_into_anonymous_memory(reader: LiveReader, direct: int, length: int) -> None:
    with buffer(Memory.anon, length) as pages:
        count = length // PAGE
        assert_moves(reader, (count, count), lambda: syscalls.preadv(direct, pages.address, length))


def test_direct_read_into_a_shared_file(reader: LiveReader, direct: int) -> None:
    with buffer(Memory.file, MEGABYTE) as pages:
        assert_moves(reader, (256, 256), lambda: syscalls.preadv(direct, pages.address, MEGABYTE))


def test_direct_read_into_a_huge_page(reader: LiveReader, direct: int) -> None:
    """Logical pins: one per 4 KiB."""
    try:
        with buffer(Memory.thp, HUGE) as pages:
            assert_moves(
                reader, (256, 256), lambda: syscalls.preadv(direct, pages.address, MEGABYTE)
            )
    except FieldError as error:
        pytest.skip(f"no transparent huge pages: {error}")


def test_direct_write(reader: LiveReader, direct: int) -> None:
    with mmap.mmap(-1, MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        pages[:] = b"\1" * MEGABYTE
        assert_moves(reader, (256, 256), lambda: os.pwritev(direct, [pages], 0))


def test_the_zero_page_is_never_pinned(reader: LiveReader, direct: int) -> None:
    with mmap.mmap(-1, MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        anchor = ctypes.c_char.from_buffer(pages)
        syscalls.madvise(ctypes.addressof(anchor), MEGABYTE, mmap.MADV_NOHUGEPAGE)
        del anchor
        assert not any(pages[at] for at in range(0, MEGABYTE, PAGE))
        assert_moves(reader, (0, 0), lambda: os.pwritev(direct, [pages], 0))


def test_buffered_read(reader: LiveReader, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(MEGABYTE))
    assert_moves(reader, (0, 0), path.read_bytes)


def held(kind: str, memory: Memory, size: int) -> tuple[Callable[[], None], Callable[[], None]]:
    hold = needs.hold(kind, size, memory)

    def begin() -> None:
        hold.__enter__()

    def end() -> None:
        hold.__exit__(None, None, None)
        time.sleep(0.3)  # a ring gives its buffers back behind our back

    return begin, end


@pytest.mark.parametrize(
    ("kind", "memory", "size", "first", "last"),
    [
        ("io_uring", Memory.anon, MEGABYTE, (256, 0), (0, 256)),
        ("io_uring", Memory.memfd, MEGABYTE, (256, 0), (0, 256)),
        ("io_uring", Memory.thp, HUGE, (512, 511), (0, 1)),
        ("af_xdp", Memory.anon, MEGABYTE, (256, 0), (0, 256)),
        ("fuse", Memory.file, 4 * PAGE, (4, 0), (0, 4)),
        ("vmsplice", Memory.anon, 16 * PAGE, (0, 0), (0, 0)),
    ],
)
def test_held(
    reader: LiveReader,
    kind: str,
    memory: Memory,
    size: int,
    first: tuple[int, int],
    last: tuple[int, int],
) -> None:
    for _ in range(TRIES):
        begin, end = held(kind, memory, size)
        time.sleep(0.3)
        found = moved(reader, begin), moved(reader, end)
        if found == (first, last):
            return
    assert found == (first, last)


def test_a_shared_file_is_refused_for_long_term_pins() -> None:
    """FOLL_LONGTERM with write access to a file whose dirtying is tracked: EFAULT since 6.5."""
    release = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    if release < (6, 5):
        pytest.skip("kernels before 6.5 allow it")
    ring = syscalls.io_uring_setup(8)
    try:
        with buffer(Memory.file, PAGE) as pages:
            with pytest.raises(OSError, match=r"Bad address") as caught:
                syscalls.io_uring_register(ring, 0, pages.address, PAGE)
            assert caught.value.errno == errno.EFAULT
    finally:
        os.close(ring)
