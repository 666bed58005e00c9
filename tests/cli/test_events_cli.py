"""`pinlab judge` on recordings that were made up, and what `record` and `watch` refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.field.events import records
from tests.field.events.records import MKWRITE, Kernel

from pinlab.cli._app import run
from pinlab.field.events import recording

Capture = pytest.CaptureFixture[str]


def tape(folder: Path, kernel: Kernel) -> str:
    rows, meta = records.rows(kernel)
    path = folder / "tape.parquet"
    recording.write(path, recording.to_table(rows, meta))
    return str(path)


def judged(capsys: Capture, *words: str) -> tuple[int, dict[str, Any]]:
    status = run(["judge", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_violated(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.o2()))
    assert status == 1
    assert said["schema"] == "pinlab.judge/1"
    verdicts = {each["objective"]: each["verdict"] for each in said["verdicts"]}
    assert verdicts == {"O1": "violated", "O2": "violated", "I3": "holds"}
    store, dirty = said["violations"]
    assert [each["event"] for each in store["witness"]][-1] == "dev_store"
    assert (store["device"], store["inode"], store["command"]) == ("0:5", 42, "dd")
    assert dirty["witness"][-1]["stack"] == ["folio_mark_dirty_lock"]


def test_violated_for_people(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["judge", tape(tmp_path, records.o2())]) == 1
    said = capsys.readouterr().out
    assert "O1 violated: inode 42" in said
    assert "dev_store (inferred)" in said
    assert "by way of folio_mark_dirty_lock" in said


def test_holds(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.control()))
    assert (status, said["verdict"]) == (0, "holds")


def test_one_objective(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.o1()), "-O", "o2")
    assert (status, [each["objective"] for each in said["verdicts"]]) == (0, ["O2"])


def test_a_loss(tmp_path: Path, capsys: Capture) -> None:
    kernel = records.control()
    kernel.lost = 4
    kernel.dirtied(MKWRITE)
    status, said = judged(capsys, tape(tmp_path, kernel))
    assert (status, said["verdict"]) == (3, "inconclusive")


def test_the_end_of_a_table_is_missing(tmp_path: Path, capsys: Capture) -> None:
    import pyarrow.parquet as pq

    path = tape(tmp_path, records.control())
    pq.write_table(pq.read_table(path).slice(0, 4), path)
    status, said = judged(capsys, path)
    assert status == 3
    assert said["verdicts"][0]["reason"] == "4 rows are missing"


def test_a_kernel_without_a_tracepoint(tmp_path: Path, capsys: Capture) -> None:
    rows, meta = records.rows(records.control())
    path = tmp_path / "tape.parquet"
    recording.write(path, recording.to_table(rows, replace(meta, attached=())))
    status, said = judged(capsys, str(path))
    assert (status, said["verdict"]) == (3, "inconclusive")


def test_an_objective_that_no_event_tells(tmp_path: Path, capsys: Capture) -> None:
    assert run(["judge", tape(tmp_path, records.o1()), "-O", "O3"]) == 2
    assert "cannot be judged by events of a running kernel" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["judge", "/nowhere"], "there is no file"),
        (["judge", __file__], "is no recording"),
        (["record", "-o", "/nowhere/x"], "there is no folder"),
        (["record", "-o", "/tmp/x", "--for", "0"], "leaves no time"),
        (["watch", "--file", "/nowhere"], "--file /nowhere: No such file"),
        (["watch", "--device", "/nowhere"], "--device /nowhere: No such file"),
    ],
)
def test_misuse(words: list[str], sentence: str, capsys: Capture) -> None:
    assert run(words) in (2, 3)
    assert sentence in capsys.readouterr().err
