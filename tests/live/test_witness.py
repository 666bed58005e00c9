"""The hazards of the thread on this kernel, on each file system that can be made here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.witness.evidence import PAGE, Moment, Whose
from pinlab.field.acts.witness.placement import places
from pinlab.field.acts.witness.runs import Series, repeat
from pinlab.field.acts.witness.scene import PAGES, Hazard, Scene
from pinlab.field.acts.witness.scratch import scratch
from pinlab.field.errors import FieldError
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from tests.live.test_hold_command import COMMAND, PATIENCE, eventually, loops, outstanding, settled

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def played(hazard: Hazard, kind: FileSystem, runs: int, *, control: bool = False) -> Series:
    """What happened, or skip."""
    series = Series(hazard, kind, control, runs)
    try:
        list(repeat(series))
    except FieldError as error:
        if "no event of the file" in str(error):
            raise  # that is for us to mend, not for the machine
        pytest.skip(f"{hazard} on {kind} cannot be shown here: {error}")
    assert not series.ended
    return series


def scene(hazard: Hazard, kind: FileSystem, *, control: bool = False) -> Scene:
    """One run, or skip."""
    (only,) = played(hazard, kind, 1, control=control).scenes
    return only


@pytest.mark.parametrize("kind", FileSystem)
def test_the_bytes_of_a_file_are_where_it_says(kind: FileSystem) -> None:
    """Files of 30 MiB in all, so that btrfs needs a second chunk, which is not where it is called.

    A file's last page is written nowhere yet; the others are, each with bytes of its own.
    """
    size = 6 << 20
    try:
        with scratch(kind) as disk:
            for number in range(5):
                content = os.urandom(size)
                fd = os.open(f"{number}", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=disk.mount)
                try:
                    os.write(fd, content)
                    os.fsync(fd)
                    os.ftruncate(fd, size + PAGE)
                    found = places(kind, fd, size // PAGE + 1)
                finally:
                    os.close(fd)
                assert found[-1] is None
                there = [disk.read(at, PAGE) for at in found[:-1] if at is not None]
                assert b"".join(there) == content
    except FieldError as error:
        pytest.skip(f"no {kind} here: {error}")


@pytest.mark.parametrize("kind", FileSystem)
def test_o1(kind: FileSystem) -> None:
    seen = scene(Hazard.o1, kind)
    assert seen.verdicts["O1"].outcome is Outcome.VIOLATED
    for violation in seen.violations:
        assert violation.row.kind is Event.DEV_STORE
        assert violation.row.refcount >= 1024
        assert [row.kind for row in violation.witness][-3:] == [
            Event.CLEAN_FOR_IO,
            Event.WRITEBACK_START,
            Event.DEV_STORE,
        ]


@pytest.mark.parametrize("kind", FileSystem)
def test_o2(kind: FileSystem) -> None:
    seen = scene(Hazard.o2, kind)
    assert seen.verdicts["O2"].outcome is Outcome.VIOLATED
    assert seen.meta is not None
    number = seen.violations[0].row.stack_id
    assert number is not None
    stack = seen.meta.stacks[number]
    assert "__bio_release_pages" in stack
    assert not any("page_mkwrite" in name for name in stack)


@pytest.mark.parametrize("kind", FileSystem)
@pytest.mark.parametrize("hazard", Hazard)
def test_control(kind: FileSystem, hazard: Hazard) -> None:
    seen = scene(hazard, kind, control=True)
    assert not seen.reproduced
    assert not seen.broken
    assert {verdict.outcome for verdict in seen.verdicts.values()} == {Outcome.HOLDS}


@pytest.mark.parametrize("kind", FileSystem)
def test_truncate(kind: FileSystem) -> None:
    seen = scene(Hazard.truncate, kind)
    assert len(seen.orphaned) == 4
    late = [row for row in seen.rows if row.kind is Event.DEV_STORE]
    assert late and all(row.mapping == 0 and row.refcount >= 1024 for row in late)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(it, marks=[pytest.mark.slow] * (it is not FileSystem.ext4)) for it in FileSystem],
)
def test_every_run_has_its_evidence(kind: FileSystem) -> None:
    """How often an fsync did not do it is chance, so of that only that the sums are right."""
    series = played(Hazard.o2, kind, 3)
    assert series.reproduced == 3
    assert {rate.moment: rate.runs for rate in series.rates} == dict.fromkeys(Moment, 3)
    assert sum(series.courses.values()) == 3 * PAGES
    for each in series.scenes:
        looks = each.looks
        assert looks[Moment.SYNCED].kept
        device = looks[Moment.ANSWERED].pages
        assert {page.memory.whose for page in device} == {Whose.DEVICE}
        for look in looks.values():
            assert [page.index for page in look.pages] == list(range(PAGES))
            assert all(page.disk is not None for page in look.pages)


def test_the_command() -> None:
    done = subprocess.run(
        [*COMMAND, "witness", "o1", "--runs", "2", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode == 3:
        pytest.skip(done.stderr)
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["schema"] == "pinlab.witness/1"
    assert said["reproduced"] is True
    assert said["violations"][0]["witness"][-1]["event"] == "dev_store"
    assert [run["reproduced"] for run in said["runs"]] == [True, True]
    (answered,) = (
        step["look"]
        for step in said["steps"]
        if step["look"] and step["look"]["moment"] == "answered"
    )
    assert [page["memory"]["head"] for page in answered["pages"]] == [said["sent"]] * PAGES


def test_no_runs_are_misuse() -> None:
    done = subprocess.run(
        [*COMMAND, "witness", "o1", "--runs", "0"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "--runs" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_stopped_it_says_what_was_measured(number: signal.Signals) -> None:
    for seconds in (4, 12, 40):
        child = subprocess.Popen(
            [*COMMAND, "witness", "o2", "--runs", "1000", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, number)  # as a terminal does: to all of them
        output, errors = child.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors
        if output:
            break
        assert child.returncode == 3
        if "stopped" not in errors:
            pytest.skip(errors)
    said = json.loads(output)
    assert child.returncode == 1
    assert said["ended"] == "stopped by a signal"
    assert 0 < len(said["runs"]) < said["asked"] == 1000
    assert {rate["runs"] for rate in said["rates"]} == {len(said["runs"])}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(
    "delay", [1.1, *(pytest.param(each, marks=pytest.mark.slow) for each in (0.4, 0.8, 2.5, 3.1))]
)
def test_killed_it_leaves_nothing(number: signal.Signals, delay: float) -> None:
    before, devices = settled(), loops()
    child = subprocess.Popen([*COMMAND, "witness", "o2", "--runs", "50"], stdout=subprocess.DEVNULL)
    time.sleep(delay)
    child.send_signal(number)
    child.wait(PATIENCE)
    assert eventually(lambda: outstanding() == before)
    assert eventually(lambda: loops() == devices)
    assert not _images()


def _images() -> list[Path]:
    folder = Path(os.environ.get("TMPDIR", "/var/tmp"))
    return list(folder.glob("pinlab-witness-*"))


def test_without_the_tool_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    monkeypatch.setattr("shutil.which", nothing)
    with pytest.raises(FieldError, match="install xfsprogs"):
        list(repeat(Series(Hazard.o1, FileSystem.xfs, False, 1)))


def test_without_a_folder_for_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with pytest.raises(FieldError, match="no image can be made in /nowhere: No such file"):
        list(repeat(Series(Hazard.o1, FileSystem.ext4, False, 1)))


def test_without_room_for_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr("os.statvfs", lambda _: full)
    with pytest.raises(FieldError, match="no 64 MiB free"):
        list(repeat(Series(Hazard.o1, FileSystem.ext4, False, 1)))
