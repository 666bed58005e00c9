"""`record`, `judge` and `watch` on this kernel, as processes, beside work that others do."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinlab.field.acts.pinning.kind import Held
from pinlab.field.acts.pinning.kinds import bio, fuse
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.errors import FieldError
from pinlab.field.events.monitor import UNSEEN_HOLDER, Monitor
from pinlab.field.events.stream import Stream
from pinlab.field.machine import bpf
from pinlab.field.probes.bio import of_bio
from pinlab.field.probes.folio import Filter
from pinlab.field.probes.hooks import Hook
from pinlab.objectives.verdict import Outcome
from tests.live.test_hold_command import COMMAND

pytestmark = pytest.mark.live

PAGE = 4096
DISK = Path("/var/tmp")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A file on a disk, as tmp_path may be none."""
    path = DISK / f"pinlab-test-{os.getpid()}-{tmp_path.name}"
    path.write_bytes(b"\1" * 4 * PAGE)
    yield path
    path.unlink(missing_ok=True)


def stream(**options: Any) -> Stream:
    """What a stream needs, or skip."""
    try:
        return Stream(**options)
    except FieldError as error:
        pytest.skip(f"events cannot be watched here: {error}")


@contextmanager
def mapped(path: Path) -> Iterator[tuple[int, Buffer]]:
    """The file open and mapped shared, written and clean."""
    fd = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(fd, 4 * PAGE) as memory:
            for page in range(4):
                memory[page * PAGE] = 2
            os.fsync(fd)
            anchor = ctypes.c_char.from_buffer(memory)
            address = ctypes.addressof(anchor)
            del anchor
            yield fd, Buffer(Memory.file, address, 4 * PAGE)
    finally:
        os.close(fd)


def hazard(
    path: Path,
    how: Callable[[Buffer], AbstractContextManager[Held]] = bio.make,
    until: Callable[[], object] = lambda: time.sleep(1),
) -> None:
    """O1 and then O2, by somebody who withholds the answer for a while; or skip."""
    with mapped(path) as (fd, pages):
        try:
            with how(pages):
                os.fsync(fd)
                until()
        except (FieldError, OSError) as error:
            pytest.skip(f"there is no device that withholds its answer: {error}")


@contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that watches, once it does."""
    with stream():
        pass
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *words], stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline().endswith("ing; Ctrl-C ends it\n")
        try:
            yield child
        finally:
            child.kill()


def told(child: subprocess.Popen[str]) -> None:
    """Wait until a command has told something."""
    assert child.stdout is not None
    assert select.select([child.stdout], [], [], 30)[0]


def test_recorded_and_judged(file: Path, tmp_path: Path) -> None:
    tape = tmp_path / "tape.parquet"
    with command("record", "-o", str(tape), "--file", str(file), "--json", "--for", "4") as child:
        hazard(file)
        said = json.loads(child.communicate(timeout=20)[0])
    assert child.returncode == 0
    assert (said["schema"], said["lost"]) == ("pinlab.record/1", 0)
    done = subprocess.run(
        [*COMMAND, "judge", str(tape), "--json"], capture_output=True, text=True, timeout=60
    )
    judged = json.loads(done.stdout)
    assert done.returncode == 1
    assert judged["verdict"] == "violated"
    assert {each["objective"]: each["verdict"] for each in judged["verdicts"]} == {
        "O1": "violated",
        "O2": "violated",
        "I3": "holds",
    }
    first = judged["violations"][0]
    assert (first["inode"], first["index"]) == (file.stat().st_ino, 0)


def test_watched(file: Path) -> None:
    # Who has it open must be found when the violation is told, which is a little later.
    with file.open(), command("watch", "--file", str(file), "--json", "--for", "4") as child:
        hazard(file, until=lambda: told(child))
        lines = [json.loads(line) for line in child.communicate(timeout=20)[0].splitlines()]
    assert child.returncode == 1
    violation = lines[0]["violation"]
    assert violation["objective"] == "O1"
    assert violation["file"] == str(file)
    assert f"inode {file.stat().st_ino}" in lines[-1]["note"]  # of nothing else it speaks
    assert violation["pid"] == os.getpid()
    assert violation["device"].startswith("7:")
    assert [each["kind"] for each in violation["held_by"]] == ["bio"]
    assert lines[-1]["schema"] == "pinlab.judge/1"
    assert lines[-1]["verdict"] == "violated"


@pytest.mark.slow
def test_a_holder_that_no_tracepoint_shows_is_named(file: Path) -> None:
    """FUSE pins without a bio: what it does nobody says, but who it is its walker knows."""
    with file.open(), command("watch", "--file", str(file), "--json", "--for", "4") as child:
        hazard(file, fuse.make, lambda: told(child))
        lines = [json.loads(line) for line in child.communicate(timeout=20)[0].splitlines()]
    if any("try_grab_folio" in name for name in lines[-1]["hooks"]):
        pytest.skip("functions are watched here, so they show it")
    undecided = next(line["undecided"] for line in lines if "undecided" in line)
    assert undecided["objective"] == "O1"
    assert "no tracepoint shows" in undecided["doubt"]
    assert [each["kind"] for each in undecided["held_by"]] == ["fuse"]
    assert os.getpid() in {each["pid"] for each in undecided["held_by"][0]["owners"]}
    verdicts = {each["objective"]: each["verdict"] for each in lines[-1]["verdicts"]}
    assert verdicts == {"O1": "inconclusive", "O2": "violated", "I3": "holds"}


ON_BTRFS = """
import sys
from pathlib import Path
from pinlab.cli._events import only
from tests.live.test_watch import hazard, stream
file = Path(sys.argv[1], "file")
file.write_bytes(bytes(4 * 4096))
for filter in (only(None, file, False), only(sys.argv[1], None, False)):
    with stream(only=filter) as events:
        hazard(file)
        rows = [row for batch in events.stop() for row in batch]
    assert {row.ino for row in rows} == {file.stat().st_ino}, rows
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mkfs.btrfs"), reason="no mkfs.btrfs (btrfs-progs)")
def test_a_file_of_btrfs_is_found(tmp_path: Path) -> None:
    """Its st_dev is not the device that events have. The mount ends with its namespace."""
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, capture_output=True)
    mounted = 'mount -o loop "$1" "$2" && exec "$3" -c "$4" "$2"'
    words = ["unshare", "-m", "sh", "-c", mounted, "sh"]
    words += [str(image), str(place), sys.executable, ON_BTRFS]
    done = subprocess.run(words, capture_output=True, text=True)
    if "mount failed" in done.stderr or "Skipped:" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_it_with_a_verdict_and_loses_nothing(file: Path) -> None:
    with command("watch", "--file", str(file), "--json") as child:
        with mapped(file) as (fd, _):
            os.fsync(fd)
        for _ in range(3):
            child.send_signal(signal.SIGINT)
        end = json.loads(child.communicate(timeout=20)[0].splitlines()[-1])
    verdicts = {each["objective"]: each["verdict"] for each in end["verdicts"]}
    assert (end["lost"], verdicts["O2"]) == (0, "holds")


def test_the_bound_of_events(file: Path, tmp_path: Path) -> None:
    tape = tmp_path / "tape.parquet"
    words = ("record", "-o", str(tape), "--file", str(file), "--max-events", "5", "--json")
    with command(*words) as child:
        hazard(file)
        said = json.loads(child.communicate(timeout=20)[0])
    assert said["rows"] == 5
    assert "bound" in said["note"]


def test_a_ring_that_is_too_small_is_no_pass(file: Path) -> None:
    monitor = Monitor()
    with stream(ring_bytes=1 << 13) as small:
        load(file, 0.5)
        for rows in small.stop():
            list(monitor.see(rows, small.stacks))
        meta = small.meta()
    assert meta.lost > 0
    assert {each.outcome for each in monitor.verdicts(meta).values()} == {Outcome.INCONCLUSIVE}


def load(path: Path, seconds: float) -> None:
    """Ordinary work: buffered, mapped, direct, fsync, truncate, other files."""
    end = time.monotonic() + seconds
    dice = random.Random(1)
    other = path.with_name(path.name + "-other")
    aligned = mmap.mmap(-1, 16 * PAGE)
    pages = 512
    with path.open("r+b", buffering=0) as file, other.open("w+b", buffering=0) as second:
        os.ftruncate(file.fileno(), pages * PAGE)
        os.ftruncate(second.fileno(), pages * PAGE)
        direct = os.open(other, os.O_RDWR | os.O_DIRECT)
        memory = mmap.mmap(file.fileno(), pages * PAGE)
        try:
            while time.monotonic() < end:
                page = dice.randrange(pages - 16)
                match dice.randrange(7):
                    case 0:
                        os.pwrite(file.fileno(), b"x" * 5000, page * PAGE)
                    case 1:
                        for each in range(8):
                            memory[(page + each) * PAGE] = each
                    case 2:
                        os.preadv(direct, [aligned], page * PAGE)
                    case 3:
                        os.pwritev(direct, [aligned], page * PAGE)
                    case 4:
                        # From the mapping to the other file: pins that only read.
                        view = memoryview(memory)[page * PAGE : (page + 8) * PAGE]
                        os.pwritev(direct, [view], page * PAGE)
                        view.release()
                    case 5:
                        os.fsync(file.fileno())
                    case 6:
                        os.ftruncate(second.fileno(), page * PAGE)
                        os.ftruncate(second.fileno(), pages * PAGE)
        finally:
            memory.close()
            os.close(direct)
            other.unlink()


@pytest.mark.parametrize(
    "seconds", [4, pytest.param(60, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_ordinary_work_gives_no_alarm_and_loses_nothing(file: Path, seconds: int) -> None:
    where = ("--device", str(DISK))  # others may work on loop devices meanwhile
    words = ("watch", *where, "--for", str(seconds), "--limit", "0", "--json")
    with command(*words) as child:
        load(file, seconds - 1)
        lines = [json.loads(line) for line in child.communicate(timeout=60)[0].splitlines()]
    assert not [line for line in lines if "violation" in line]
    assert lines[-1]["lost"] == 0
    # A direct write pins pages of the file some microseconds before its bio is queued. Should
    # the flusher write them back just then, nobody can say whose pin it was.
    undecided = [line["undecided"] for line in lines if "undecided" in line]
    assert {each["doubt"] for each in undecided} <= {UNSEEN_HOLDER}
    assert len(undecided) <= lines[-1]["records"] / 1000
    doubted = {each["objective"] for each in undecided}
    for each in lines[-1]["verdicts"]:
        # Whether a pinned page happens to be written back in so little time is chance, too.
        by_chance = each["objective"] in doubted or each["reason"].startswith("no event was seen")
        assert each["verdict"] == "holds" or by_chance
    assert lines[-1]["records"] > 100 * seconds  # it was watched, and it did pin


def test_the_bounded_loop_is_accepted_too() -> None:
    """Kernels before 6.9 are given a loop that their verifier walks turn by turn."""
    with stream() as attached:
        source = attached._source
        for hook in (Hook.BIO_QUEUE, Hook.RQ_COMPLETE):
            code = of_bio(hook, source.layout, source.maps, Filter(1, 2, True), may_goto=False)
            loaded = bpf.Program(code)
            assert loaded.fd >= 0
            loaded.close()
