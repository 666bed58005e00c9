"""`who PATH` opens regular files only: looking must not change what is looked at."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.field.census.meant import _within, meant, pipe_at
from pinlab.field.errors import FieldError


def test_a_waiting_writer_of_a_pipe_is_left_waiting(tmp_path: Path) -> None:
    """If somebody opens the pipe and goes, the writer's message is lost (EPIPE)."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    opened = threading.Event()

    def writer() -> None:
        with pipe.open("wb", buffering=0) as file:
            opened.set()
            file.write(b"job")

    thread = threading.Thread(target=writer, daemon=True)
    thread.start()
    with pytest.raises(UsageError, match="is not a regular file, and is not opened"):
        meant(pipe)
    assert pipe_at(pipe) is not None
    assert not opened.wait(0.3)
    with pipe.open("rb", buffering=0) as file:
        assert file.read() == b"job"
    thread.join(10)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/", "/proc/self/fd"])
def test_devices_and_folders_are_not_opened(path: str) -> None:
    for look in (meant, pipe_at):
        with pytest.raises(UsageError, match="not a regular file"):
            look(Path(path))


def test_a_pipe_is_known_by_its_name_and_by_its_descriptors(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        one, other = (pipe_at(Path(f"/proc/self/fd/{fd}")) for fd in (read, write))
    finally:
        os.close(read)
        os.close(write)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    assert one is not None and one == other
    assert pipe_at(tmp_path / "fifo") not in (None, one)
    assert pipe_at(tmp_path / "file") is None


def test_a_regular_file_and_a_link_to_it_are_mapped(tmp_path: Path) -> None:
    """Frames are known with privileges only; without, none are."""
    (tmp_path / "file").write_bytes(b"x" * 8192)
    (tmp_path / "link").symlink_to("file")
    file, link = meant(tmp_path / "file"), meant(tmp_path / "link")
    assert file.key == link.key
    assert [None if it.frames is None else len(it.frames) for it in (file, link)] in (
        [None, None],
        [2, 2],
    )


def test_what_does_not_answer_is_given_up() -> None:
    """As a FUSE server does that sleeps."""
    with pytest.raises(FieldError, match="does not answer"):
        _within(0.05, Path("f"), threading.Event().wait)
