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

from pinlab.field.errors import FieldError
from pinlab.field.witness.scene import Hazard, Scene, play
from pinlab.field.witness.scratch import FileSystem
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from tests.live.test_hold_command import COMMAND, PATIENCE, eventually, loops, outstanding, settled

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def scene(hazard: Hazard, kind: FileSystem, *, control: bool = False) -> Scene:
    """What happened, or skip."""
    try:
        return play(hazard, kind, control=control)
    except (FieldError, OSError) as error:
        pytest.skip(f"{hazard} on {kind} cannot be shown here: {error}")


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
    assert {verdict.outcome for verdict in seen.verdicts.values()} == {Outcome.HOLDS}


@pytest.mark.parametrize("kind", FileSystem)
def test_truncate(kind: FileSystem) -> None:
    seen = scene(Hazard.truncate, kind)
    assert len(seen.orphaned) == 4
    late = [row for row in seen.rows if row.kind is Event.DEV_STORE]
    assert late and all(row.mapping == 0 and row.refcount >= 1024 for row in late)


def test_the_command() -> None:
    done = subprocess.run(
        [*COMMAND, "witness", "o1", "--json"], capture_output=True, text=True, timeout=60
    )
    if done.returncode == 3:
        pytest.skip(done.stderr)
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["schema"] == "pinlab.witness/1"
    assert said["reproduced"] is True
    assert said["violations"][0]["witness"][-1]["event"] == "dev_store"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("delay", [0.4, 0.8, 1.1])
def test_killed_it_leaves_nothing(number: signal.Signals, delay: float) -> None:
    before, devices = settled(), loops()
    child = subprocess.Popen([*COMMAND, "witness", "o2"], stdout=subprocess.DEVNULL)
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
        play(Hazard.o1, FileSystem.xfs)
