"""`pinlab bugs`."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from pinlab.cli._app import run
from pinlab.lab import corpus
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_MISUSE, EXIT_UNKNOWN
from pinlab.report import bugs as report

Captured = pytest.CaptureFixture[str]


def test_a_bug_as_json(capsys: Captured) -> None:
    assert run(["bugs", "B37", "--json"]) == EXIT_HOLDS
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "pinlab.bugs/1"
    (it,) = said["bugs"]
    assert (it["bug"], it["objective"]) == ("B37", "I4")
    assert (it["buggy"]["verdict"], it["fixed"]["verdict"]) == ("violated", "holds")
    assert it["buggy"]["steps"] > 0
    assert (it["sweep"]["found"], it["sweep"]["size"]) == (True, 2)


def test_the_story_of_a_bug(capsys: Captured) -> None:
    assert run(["bugs", "b37"]) == EXIT_HOLDS
    said = capsys.readouterr().out
    assert "Before the device has stored, writeback cleans one of them" in said
    assert "bio_check_pages_dirty() with the bug, bugs/b37.py:" in said
    assert "bio_check_pages_dirty() without it, today/linux/bio.py:" in said
    assert "breaks I4 in" in said


@pytest.mark.parametrize(("width", "beside"), [(100, False), (220, True)])
def test_both_codes_stand_beside_each_other_if_there_is_room(width: int, beside: bool) -> None:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(report.one(corpus.play(corpus.bug("B37"))))
    lines = console.export_text().splitlines()
    assert any("with the bug" in line and "without it, today" in line for line in lines) is beside


@pytest.mark.slow
def test_what_is_cut_off_is_said(capsys: Captured) -> None:
    assert run(["bugs", "B37", "--max-states", "5"]) == EXIT_UNKNOWN
    said = " ".join(capsys.readouterr().out.split())
    assert "? B37 with it: " in said
    assert "? B37 by search: " in said


def test_an_unknown_number(capsys: Captured) -> None:
    assert run(["bugs", "B99"]) == EXIT_MISUSE
    assert "there is no bug 'B99'" in capsys.readouterr().err
