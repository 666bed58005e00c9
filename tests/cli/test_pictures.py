"""`pinlab timeline`, `pinlab draw`, and the page of `pinlab explain`: what they write."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.report import recordings

from pinlab import objectives
from pinlab.cli._app import run
from pinlab.field.events import recording
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.dot import from_dot
from pinlab.report import automaton

Capture = pytest.CaptureFixture[str]
RACE = ("explain", "untracked", "O2", "--scenario", "put-dirty-reclaim")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    rows, _ = recordings.o1()
    numbered = [replace(row, seq=number) for number, row in enumerate(rows)]
    path = tmp_path / "run.parquet"
    recording.write(path, recording.to_table(numbered, recordings.META))
    return path


def test_both_by_default(tape: Path, capsys: Capture) -> None:
    assert run(["timeline", str(tape)]) == 0
    out = capsys.readouterr().out
    assert "O1: violated" in out and "run.parquet.timeline.html: 40 events" in out
    trace = json.loads((tape.parent / "run.parquet.timeline.json").read_text("utf-8"))
    marks = [e for e in trace["traceEvents"] if e.get("cat") == "violation"]
    o1 = [e for e in marks if e["args"]["objective"] == "O1"]
    assert len(o1) == 4 and all(e["args"]["kind"] == "dev_store" for e in o1)
    assert all(e["args"]["evidence"].endswith(str(e["args"]["event"])) for e in o1)
    page = (tape.parent / "run.parquet.timeline.html").read_text("utf-8")
    assert "violates O1: inode 77, page 3" in page


def test_a_recording_with_a_hole_is_drawn_and_not_called_clean(
    tape: Path, tmp_path: Path, capsys: Capture
) -> None:
    rows, meta = recording.read(tape)
    torn = [replace(row, dropped_before=7 if row.seq == 20 else 0) for row in rows]
    recording.write(tmp_path / "torn.parquet", recording.to_table(torn, meta))
    out = tmp_path / "torn.html"
    assert run(["timeline", str(tmp_path / "torn.parquet"), "-o", str(out)]) == 0
    assert "holds" not in capsys.readouterr().out
    assert "7 events were lost" in out.read_text("utf-8")


def test_rows_out_of_order_decide_nothing(tape: Path, tmp_path: Path, capsys: Capture) -> None:
    rows, meta = recording.read(tape)
    recording.write(tmp_path / "mixed.parquet", recording.to_table([*rows[20:], *rows[:20]], meta))
    out = tmp_path / "mixed.html"
    assert run(["timeline", str(tmp_path / "mixed.parquet"), "-o", str(out)]) == 0
    assert "violated" not in capsys.readouterr().out
    assert "No violation seen" in out.read_text("utf-8")


@pytest.mark.parametrize("suffix", [".html", ".json"])
def test_one_of_them(tape: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    assert run(["timeline", str(tape), "-o", str(out)]) == 0
    assert out.exists() and not list(tmp_path.glob("*.timeline.*"))


def test_json_says_what_was_written(tape: Path, capsys: Capture) -> None:
    assert run(["timeline", str(tape), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "pinlab.timeline/1" and told["recording"] == str(tape)
    assert told["events"] == 40 and told["violations"] == 8 and told["length_ns"] == 223_700
    files = {Path(each["path"]).suffix: each for each in told["files"]}
    assert set(files) == {".html", ".json"}
    assert files[".html"]["tracks"] == {"folio": 4, "I/O": 2}
    trace = json.loads(Path(files[".json"]["path"]).read_text("utf-8"))["traceEvents"]
    begun = Counter(event["cat"] for event in trace if event["ph"] == "b")
    marked = Counter(event["cat"] for event in trace if event["ph"] == "i")
    assert files[".json"]["spans"] == begun and files[".json"]["marks"] == marked
    assert [each["verdict"] for each in told["verdicts"] if each["objective"] == "O1"] == [
        "violated"
    ]


def test_one_file_of_a_recording(tape: Path, tmp_path: Path, capsys: Capture) -> None:
    rows, meta = recording.read(tape)
    moved = [replace(row, ino=78) if row.index == 3 else row for row in rows]
    recording.write(tmp_path / "two.parquet", recording.to_table(moved, meta))
    out = tmp_path / "two.html"
    assert run(["timeline", str(tmp_path / "two.parquet"), "-o", str(out), "--inode", "78"]) == 0
    told = capsys.readouterr().out
    assert "3 tracks" in told and "only folios of inode 78" in told
    assert "only folios of inode 78" in out.read_text("utf-8")
    assert run(["timeline", str(tape), "--inode", "5"]) == 2
    assert "no folio of inode 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["timeline", "missing.parquet"], "no file"),
        (["timeline", __file__], "not a recording"),
        (["timeline", __file__, "-o", "out.png"], "neither .html nor .json"),
        (["draw", "I12"], "no automaton"),
        (["draw", "O7"], "no objective"),
        (["draw", "O1", "-o", "o1.png"], "neither .svg nor .dot"),
        (["draw", "O1", "-o", "missing/o1.dot"], "cannot write"),
    ],
)
def test_misuse_is_one_sentence(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_dot(tmp_path: Path, capsys: Capture) -> None:
    assert run(["draw", "o1"]) == 0
    text = capsys.readouterr().out
    assert from_dot(text) == objectives.load()["O1"]
    assert run(["draw", "O1", "-o", str(tmp_path / "o1.dot")]) == 0
    assert (tmp_path / "o1.dot").read_text("utf-8") == text


@pytest.mark.parametrize(
    "name", [name for name, each in objectives.load().items() if isinstance(each, Automaton)]
)
def test_svg(name: str, tmp_path: Path) -> None:
    if automaton.layout() is None:
        pytest.skip("Graphviz is not installed (Debian: graphviz)")
    assert run(["draw", name, "-o", str(tmp_path / "x.svg")]) == 0
    text = (tmp_path / "x.svg").read_text("utf-8")
    assert ElementTree.fromstring(text).tag.endswith("svg")
    objective = objectives.load()[name]
    assert isinstance(objective, Automaton)
    assert all(f">{state}<" in text for state in objective.states)
    assert ("✗ " in text) == bool(objective.bad) and "http://www.w3.org/2000/svg" in text


def test_without_graphviz_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(automaton, "layout", lambda: None)
    assert run(["draw", "O1", "-o", str(tmp_path / "o1.svg")]) == 2
    assert "apt install graphviz" in capsys.readouterr().err


def test_explain_writes_a_page_to_step_through(tmp_path: Path) -> None:
    out = tmp_path / "why.html"
    assert run([*RACE, "-o", str(out)]) == 1
    text = out.read_text("utf-8")
    assert "untracked breaks O2" in text and "orders of steps matter" in text


def test_explain_writes_a_figure(tmp_path: Path) -> None:
    out = tmp_path / "why.svg"
    assert run([*RACE, "-o", str(out)]) == 1
    root = ElementTree.parse(out).getroot()
    assert root.tag.endswith("svg") and "untracked breaks O2" in "".join(root.itertext())
