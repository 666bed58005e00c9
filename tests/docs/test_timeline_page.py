"""The commands of docs/timeline.md, run as they stand there."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.field.events import recording
from pinlab.report import automaton
from tests.report import recordings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "timeline.md"
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("pinlab ")
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_it_runs(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if command[-1].endswith(".svg") and automaton.layout() is None:
        pytest.skip("Graphviz is not installed (Debian: graphviz)")
    rows, _ = recordings.o1()
    numbered = [replace(row, seq=number) for number, row in enumerate(rows)]
    recording.write(tmp_path / "run.parquet", recording.to_table(numbered, recordings.META))
    monkeypatch.chdir(tmp_path)
    assert run(command) == 0
    written = {path.name for path in tmp_path.iterdir()} - {"run.parquet"}
    if "-o" in command:
        assert written == {command[-1]}
    elif command[0] == "timeline":
        assert written == {"run.parquet.timeline.html", "run.parquet.timeline.json"}


def test_there_are_commands() -> None:
    assert {command[0] for command in COMMANDS} == {"timeline", "draw"}
