"""`pinlab hold` and `pinlab who` as processes: every way to end one, and what is left then."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinlab.cli import _app as cli
from pinlab.field.acts.pinning import runtime
from pinlab.field.acts.pinning.kinds import bio

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("folder")]

COMMAND = [sys.executable, "-c", "from pinlab.cli import main; main()"]
PATIENCE = 10.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "pinlab"


@contextmanager
def holding(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`pinlab hold --json` once it holds."""
    child = subprocess.Popen(
        [*COMMAND, "hold", *words, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stderr is not None
    try:
        text = ""
        for line in child.stdout:
            text += line
            if line == "}\n":
                break
        if not text:
            sentence = child.stderr.read()
            assert child.wait() == 3, sentence
            pytest.skip(f"hold {' '.join(words)}: {sentence}")
        yield child, json.loads(text)
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def outstanding() -> int:
    Path("/proc/sys/vm/stat_refresh").write_text("1\n")
    counters = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return int(counters["nr_foll_pin_acquired"]) - int(counters["nr_foll_pin_released"])


def settled() -> int:
    """The pins of others, once what an earlier test had is gone: some go in the background."""
    eventually(lambda: outstanding() == 0, 2)
    return outstanding()


def eventually(true: Callable[[], bool], patience: float = PATIENCE) -> bool:
    deadline = time.monotonic() + patience
    while not (done := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return done


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def loops() -> dict[str, str]:
    """The backing files of all loop devices that have one."""
    return {
        str(each): each.read_text() for each in Path("/sys/block").glob("loop*/loop/backing_file")
    }


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60)


def press_enter(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    os.write(child.stdin.fileno(), b"\n")


ENDS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "Enter": press_enter,
    "SIGTERM": lambda child: child.send_signal(signal.SIGTERM),
    "SIGINT": lambda child: child.send_signal(signal.SIGINT),
    "SIGHUP": lambda child: child.send_signal(signal.SIGHUP),
}


# One kind in every way and every kind in one way; the rest of the square is slow.
SQUARE = [
    pytest.param(
        kind, end, marks=[] if kind == "io_uring" or end == "SIGTERM" else [pytest.mark.slow]
    )
    for kind in ("io_uring", "bio", "process_vm")
    for end in ENDS
]


@pytest.mark.parametrize(("kind", "end"), SQUARE)
def test_however_it_is_told_nothing_is_left(kind: str, end: str, folder: Path) -> None:
    before, devices = settled(), loops()
    with holding(kind) as (child, said):
        assert said["schema"] == "pinlab.hold/1"
        assert outstanding() == before + 16
        servers = children(child.pid)
        ENDS[end](child)
        assert child.wait(PATIENCE) == 0
    assert eventually(lambda: outstanding() == before)
    assert eventually(lambda: loops() == devices)
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)
    assert not folder.exists() or not list(folder.iterdir())


def test_it_ends_by_itself() -> None:
    with holding("io_uring", "--for", "0.2") as (child, _):
        assert child.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "kind",
    [
        *("io_uring", "af_xdp", "vmsplice", "process_vm"),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("fuse", "bio")),
    ],
)
def test_kill_9_leaves_nothing_but_a_record_that_sweep_takes_away(kind: str, folder: Path) -> None:
    before, devices = settled(), loops()
    with holding(kind) as (child, _):
        servers = children(child.pid)
        assert len(servers) == (1 if kind in ("fuse", "bio") else 0)
        child.kill()
        child.wait(PATIENCE)
    assert eventually(lambda: outstanding() == before)
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in servers))
    assert eventually(lambda: loops() == devices)
    if servers:
        assert len(list(folder.iterdir())) == 1
        swept = run("hold", "--sweep", "--json")
        assert json.loads(swept.stdout)["stale"] == 1
    assert not folder.exists() or not list(folder.iterdir())


def test_kill_9_of_the_server_ends_the_read() -> None:
    before = settled()
    with holding("fuse") as (child, _):
        (server,) = children(child.pid)
        os.kill(server, signal.SIGKILL)
        assert eventually(lambda: outstanding() == before)
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 0


def test_sweep_detaches_a_loop_device_that_a_dead_hold_named(folder: Path, tmp_path: Path) -> None:
    """As if the kernel had not cleared it: a device of that name, and a record of a dead hold."""
    backing = tmp_path / "backing"
    backing.write_bytes(bytes(1 << 20))
    name = f"pinlab-hold-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        path = f"/dev/loop{bio._free()}"
        disk = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"no loop device: {error}")
    file = os.open(backing, os.O_RDONLY)
    config = bytearray(bio._config(file, name))
    config[8 + bio.LO_FLAGS] = bio.LO_FLAGS_READ_ONLY  # it does not clear itself
    fcntl.ioctl(disk, bio.LOOP_CONFIGURE, bytes(config))
    os.close(disk)
    os.close(file)
    own = loops()
    with runtime.record() as record, record.loop(path, "another's name"):
        record.holder = runtime.Process(1 << 22, 1)
        record.write()
        assert runtime.sweep().loops == ()
        assert loops() == own
    with runtime.record() as record, record.loop(path, name):
        record.holder = runtime.Process(1 << 22, 1)
        record.write()
        swept = run("hold", "--sweep")
        assert f"Detached {path}." in swept.stdout
    assert eventually(lambda: f"/sys/block/{path[5:]}/loop/backing_file" not in loops())


@pytest.mark.usefixtures("live")
def test_who_by_process_frame_and_file(tmp_path: Path) -> None:
    with holding("io_uring", "--size", "32K") as (child, said):
        by_process = run("who", str(child.pid), "--json")
        assert by_process.returncode == 0, by_process.stderr
        (claim,) = json.loads(by_process.stdout)["claims"]
        (held,) = said["holds"]
        assert (claim["address"], claim["length"]) == (held["address"], held["length"])
        assert claim["owners"] == [
            {"pid": child.pid, "command": said["command"], "fd": held["fd"], "by": None}
        ]
        pfn = held["extents"][0][0]
        by_frame = json.loads(run("who", hex(pfn), "--json").stdout)
        assert by_frame["totals"]["pins"] == 1
        assert [each["kind"] for each in by_frame["claims"]] == ["io_uring"]
        table = run("who", "--all")
        assert table.returncode == 0
        assert "VmPin" in table.stdout and f"({child.pid})" in table.stdout


@pytest.mark.usefixtures("live")
def test_who_of_a_file_that_is_spliced_into_a_pipe(tmp_path: Path) -> None:
    """Plain references on the page cache of a file, and of one that nobody holds."""
    path = tmp_path / "file"
    path.write_bytes(bytes(8192))
    before = json.loads(run("who", str(path), "--json").stdout)
    assert (before["totals"]["pins"], before["claims"]) == (0, [])
    reader, writer = os.pipe()
    with path.open("rb") as file:
        os.splice(file.fileno(), writer, 8192)
        found = run("who", str(path), "--json")
    os.close(reader)
    os.close(writer)
    assert found.returncode == 0
    (claim,) = json.loads(found.stdout)["claims"]
    assert (claim["kind"], claim["detail"], claim["count"]) == ("pipe", "splice", 2)
    assert claim["counted_as"] == "references"


def test_misuse_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words, part in (
        (("hold", "nonsense"), "no kind 'nonsense'"),
        (("hold", "io_uring", "--size", "2G"), "at once"),
        (("hold", "io_uring", "--count", "1000"), "64 times"),
        (("hold", "af_xdp", "--memory", "file"), "does not pin"),
        (("hold",), "say what to hold"),
        (("who",), "say whose pins"),
        (("who", "--all", "1"), "only one thing"),
        (("who", "/no/such/file"), "cannot be asked about"),
        (("who", "4194303"), "no process"),
    ):
        assert cli.run(list(words)) == 2, words
        assert part in capsys.readouterr().err


@pytest.fixture
def nobody(tmp_path: Path) -> list[str]:
    """A prefix that takes away every capability; skipped where there is no such command."""
    if os.getuid() != 0 or not Path("/usr/bin/setpriv").exists():
        pytest.skip("giving up privileges needs root and setpriv (util-linux)")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def test_without_privileges_who_says_what_is_missing(nobody: list[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": "/nonexistent"}
    found = subprocess.run(
        [*nobody, *COMMAND, "who", "--all"], capture_output=True, text=True, env=environment
    )
    assert found.returncode == 3, found.stderr
    assert "Traceback" not in found.stderr + found.stdout
    assert "weak" in found.stdout
