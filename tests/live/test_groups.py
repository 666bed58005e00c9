"""Whose pins: of the processes of a cgroup, of I/O on a block device, of the files of a mount."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.field.acts.pinning.memory import Memory
from pinlab.field.errors import FieldError
from pinlab.field.holders.attribution import attribute
from pinlab.field.holders.target import Answer, Sort, Target, answer
from pinlab.field.machine import groups
from pinlab.field.memory.live import LiveReader
from tests.live import needs


def asked(live: LiveReader, target: Target) -> Answer:
    return answer(live, attribute(live), target)


def folder(root: Path, name: str, *pids: int) -> None:
    made = root / name
    made.mkdir(parents=True)
    (made / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))


def test_a_cgroup_has_the_processes_below_it(tmp_path: Path) -> None:
    folder(tmp_path, "unified", 5)
    folder(tmp_path, "unified/a", 1, 2)
    folder(tmp_path, "unified/a/b", 3)
    folder(tmp_path, "unified/c", 4)
    assert groups.cgroup("a", tmp_path) == {1, 2, 3}
    assert groups.cgroup(str(tmp_path / "unified/a/b"), tmp_path) == {3}
    assert groups.cgroup("/a/b", tmp_path / "unified") == {3}
    assert groups.cgroup("/c", tmp_path) == {4}
    assert groups.cgroup("/", tmp_path) == {1, 2, 3, 4, 5}
    with pytest.raises(UsageError, match="no cgroup '/nosuch'"):
        groups.cgroup("/nosuch", tmp_path)
    with pytest.raises(UsageError, match="no cgroup 'nosuch'"):
        groups.cgroup("nosuch", tmp_path)
    with pytest.raises(UsageError):
        groups.cgroup("", tmp_path)


def test_a_threaded_cgroup_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, "a", 1)

    def refuse(_: Path) -> str:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(FieldError, match="threaded"):
        groups.cgroup("a", tmp_path)


def test_inside_a_pid_namespace_a_cgroup_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes have other numbers there: "0 pins" would be of somebody else."""
    monkeypatch.setattr("pinlab.field.holders.target.first_pid_namespace", lambda: False)
    with needs.reader() as live, pytest.raises(FieldError, match="PID namespace"):
        asked(live, Target(Sort.cgroup, name="a", processes=frozenset({1})))


@pytest.mark.parametrize("name", ["", "nosuch", "/dev/null", "/proc/self", "a\0b"])
def test_what_is_no_block_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        groups.block_device(name)


@pytest.mark.live
def test_io_on_a_device(live: LiveReader) -> None:
    with needs.hold("bio", 64 << 10):
        whole = attribute(live)
        (disk,) = {share.claim.device for share in whole.shares if share.claim.kind == "bio"}
        device = groups.block_device(disk)
        found = asked(live, Target(Sort.device, name=disk, device=device))
        other = asked(live, Target(Sort.device, name="/", device=groups.block_device("/")))
    assert found.pins == 16 and not found.unexplained
    assert other.pins == 0


@pytest.mark.live
def test_pages_of_the_files_of_a_mount(live: LiveReader) -> None:
    with needs.hold("bio", 64 << 10, Memory.file) as (held, *_):
        name = os.stat(Path.home()).st_dev
        device = groups.block_device("/")
        assert f"{os.major(name)}:{os.minor(name)}" in device.numbers
        found = asked(live, Target(Sort.device, name="/", device=device))
    assert found.pins == held.extents.total


@pytest.mark.live
def test_processes_of_a_cgroup(live: LiveReader) -> None:
    with needs.hold("io_uring", 64 << 10):
        mine = Target(Sort.cgroup, name="a", processes=frozenset({os.getpid()}))
        others = Target(Sort.cgroup, name="b", processes=frozenset({1}))
        assert asked(live, mine).pins == 16
        assert asked(live, others).pins == 0
