"""Which world a command is about: its design's, else the one that `--world` names."""

from __future__ import annotations

import pytest

from pinlab.cli._app import run

Capture = pytest.CaptureFixture[str]


def test_operations_beside_a_design_are_of_its_world(capsys: Capture) -> None:
    assert run(["check", "mainline", "--with", "dio-read@1, fsync", "--from", "dirty rw"]) == 1
    assert "dio-read@1,fsync/dirty+rw" in capsys.readouterr().out
