"""What a killed hold leaves, and what a sweep does about it. No privileges."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinlab.field.acts.pinning import runtime
from pinlab.field.acts.pinning.runtime import Process
from pinlab.field.errors import FieldError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return runtime.folder()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child
    child.kill()
    child.wait()


def leave(folder: Path, **body: object) -> Path:
    """A record of a hold that is dead."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path = folder / "hold-1-dead.json"
    blank = {"boot": boot, "holder": [1 << 22, 1], "servers": [], "loops": []}
    path.write_text(json.dumps(blank | body))
    return path


def test_the_folder_is_ours_alone(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(FieldError, match="0700"):
        runtime.folder()


def test_a_link_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "pinlab").symlink_to("elsewhere")
    with pytest.raises(FieldError, match="0700"):
        runtime.folder()


def test_a_record_is_there_while_it_is_needed(
    folder: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    with runtime.record() as record:
        with record.server(sleeper.pid), record.loop("/dev/loop7", "name"):
            found = runtime.Record.read(record.path)
            assert found is not None
            assert found.holder == Process.of(os.getpid())
            assert found.servers == [Process.of(sleeper.pid)]
            assert found.loops == [runtime.Loop("/dev/loop7", "name")]
        assert not record.servers and not record.loops
        assert runtime.sweep() == runtime.Swept(0, 1, (), ())
        assert sleeper.poll() is None
    assert list(folder.iterdir()) == []


def test_sweep_spares_what_is_being_written(folder: Path) -> None:
    """A record gets its name when it is whole; until then it is its writer's, if that lives."""
    own, left = folder / f"hold-{os.getpid()}-ab.new", folder / f"hold-{1 << 22}-cd.new"
    for each in (own, left):
        each.write_text("{")
    runtime.sweep()
    assert own.exists() and not left.exists()


def test_sweep_kills_the_server_of_a_dead_hold(
    folder: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    server = Process.of(sleeper.pid)
    path = leave(folder, servers=[[server.pid, server.start]])

    assert runtime.sweep() == runtime.Swept(1, 0, (server.pid,), ())
    assert sleeper.wait(5) == -signal.SIGKILL
    assert not path.exists()


def test_sweep_spares_a_process_that_only_has_the_number(
    folder: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    server = Process.of(sleeper.pid)
    leave(folder, servers=[[server.pid, server.start - 1], [1 << 22, 5]])

    assert runtime.sweep().servers == ()
    assert sleeper.poll() is None


def test_sweep_spares_everything_of_another_boot(
    folder: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    server = Process.of(sleeper.pid)
    path = leave(folder, boot="another", servers=[[server.pid, server.start]])

    assert runtime.sweep() == runtime.Swept(0, 0, (), ())
    assert sleeper.poll() is None and not path.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"boot": 1}', "\x00"])
def test_a_record_that_is_none_is_thrown_away(folder: Path, text: str) -> None:
    (folder / "hold-1-x.json").write_text(text)

    assert runtime.sweep() == runtime.Swept(0, 0, (), ())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("pid", [0, -1, 10**23])
def test_a_record_of_no_process_is_thrown_away(folder: Path, pid: int) -> None:
    record = {"boot": runtime._boot(), "holder": [pid, 1], "servers": [[pid, 1]], "loops": []}
    (folder / "hold-1-a.json").write_text(json.dumps(record))
    assert runtime.sweep() == runtime.Swept(0, 0, (), ())
    assert not list(folder.iterdir())


def test_what_is_no_file_is_passed_over(folder: Path) -> None:
    (folder / "hold-1-a.json").mkdir()
    os.mkfifo(folder / "hold-2-a.json")
    assert runtime.sweep() == runtime.Swept(0, 0, (), ())


def test_sweep_detaches_only_a_loop_device_of_that_name(folder: Path) -> None:
    leave(folder, loops=[["/dev/null", "pinlab-hold-1-abc"], ["/dev/nothing", "x"]])

    assert runtime.sweep().loops == ()


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        Process.of(child.pid)
    child.wait()
