"""`pinlab report`: what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.lab import patch as patches

Capture = pytest.CaptureFixture[str]


def test_a_folder(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "pages"
    assert run(["report", "skip", "-o", str(out)]) == 0
    assert "1 design" in capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert {"index.html", "skip.html", "skip-I4.html"} <= names
    assert "Next that matters" in (out / "skip-I4.html").read_text("utf-8")


def test_what_an_earlier_report_led_to_goes_and_nothing_else(tmp_path: Path) -> None:
    race = tmp_path / "my-race.html"
    assert run(["report", "skip", "-o", str(tmp_path)]) == 0
    race.write_text((tmp_path / "skip-I4.html").read_text("utf-8"), "utf-8")
    led_to = tmp_path / "theirs.html"
    led_to.write_text("<p>important")
    first = tmp_path / "index.html"
    link = '<a href="theirs.html"></a></body>'
    first.write_text(first.read_text("utf-8").replace("</body>", link), "utf-8")
    assert run(["report", "bounce", "-o", str(tmp_path)]) == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert {"index.html", "bounce.html", race.name, led_to.name} <= left
    assert not any(name.startswith("skip") for name in left)


def test_one_file(tmp_path: Path) -> None:
    out = tmp_path / "skip.html"
    assert run(["report", "skip", "-o", str(out)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"skip.html"}
    assert "skip breaks I4" in out.read_text("utf-8")


@pytest.mark.slow
def test_of_a_patch_the_difference(tmp_path: Path) -> None:
    patch = tmp_path / "patch.py"
    patch.write_text(patches.patch("dax_truncate"))
    out = tmp_path / "patch.html"
    assert run(["report", str(patch), "-o", str(out)]) == 0
    text = out.read_text("utf-8")
    assert "beside" in text and "Operations that come to what it replaces" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("report untrakced", "no design 'untrakced'"),
        ("report untracked --world 7.2", "leave it out"),
        ("report untracked -o /nowhere/pages", "there is no folder /nowhere"),
        ("report untracked -o /etc/hostname", "is a file: name a folder"),
        ("report untracked -o pages.txt", "name a folder, or FILE.html"),
        ("report untracked -o .", "is not of pinlab: name another folder"),
    ],
)
def test_misuse(
    words: str, why: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.html").write_text("important")
    assert run(words.split()) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert why in told and "Traceback" not in told
