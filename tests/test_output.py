"""Writing files beside anybody: whole or not at all, and never instead of a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pinlab import output
from pinlab.errors import UsageError


def test_a_file_is_written_and_an_earlier_one_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    output.write_text(path, "one")
    path.chmod(0o640)
    output.write_text(path, "two")
    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_new_file_has_what_the_umask_leaves_or_what_is_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        output.write_text(tmp_path / "a", "")
    finally:
        os.umask(before)
    output.write(tmp_path / "b", lambda file: file.write(b""), output.PRIVATE)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    assert modes == [0o640, 0o600]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    output.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_what_fails_on_the_way_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def fail(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UsageError, match=r"cannot write .*: No space left on device"):
        output.write(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def devices(folder: Path) -> list[Path]:
    """A pipe, a folder, a socket's kin: whatever is there and no regular file."""
    os.mkfifo(folder / "pipe")
    (folder / "link to a device").symlink_to("/dev/null")
    return [folder / "pipe", folder, folder / "link to a device", Path("/dev/null")]


def test_a_device_a_pipe_and_a_folder_stay_what_they_are(tmp_path: Path) -> None:
    for path in devices(tmp_path):
        before = os.stat(path)
        for attempt in (output.check, lambda path: output.write_text(path, "x")):
            with pytest.raises(UsageError, match="not a regular file"):
                attempt(path)
        after = os.stat(path)
        assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing/a", "there is no folder"), ("", "not a regular file"), ("a\0b", "cannot write")],
)
def test_where_nothing_can_come_to_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        output.check(Path(name))


def test_a_name_that_could_be_guessed_is_not_used(tmp_path: Path) -> None:
    """Links under names made of the path and this process lead to a file that must not change."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (f".a.{os.getpid()}", f"a.{os.getpid()}.new", f"a.{os.getpid()}"):
        (tmp_path / name).symlink_to(victim)
    output.write_text(tmp_path / "a", "x")
    assert victim.read_text() == "mine"
