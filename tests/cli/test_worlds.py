"""Which world a command is about: its design's, else the one that `--world` names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer

from pinlab.cli import _options as options
from pinlab.cli import show
from pinlab.cli._app import run
from pinlab.lab import design, worlds

Capture = pytest.CaptureFixture[str]

DIFF = """--- a/block/bio.c
+++ b/block/bio.c
@@ -10 +10 @@ static inline void bio_release_page(struct bio *bio, struct page *page)
-\told();
+\tnew();
"""


def test_operations_beside_a_design_are_of_its_world(capsys: Capture) -> None:
    assert run(["check", "mainline", "--with", "dio-read@1, fsync", "--from", "dirty rw"]) == 1
    assert "dio-read@1,fsync/dirty+rw" in capsys.readouterr().out


def test_the_option_is_about_the_worlds_there_are(capsys: Capture) -> None:
    assert run(["list", "--help"]) == 0
    assert " or ".join(worlds.WORLDS) in capsys.readouterr().out
    assert next(iter(worlds.WORLDS)) == worlds.DEFAULT.name == "4.20"


def test_lists(capsys: Capture) -> None:
    for what in ("designs", "operations", "states"):
        assert run(["list", what, "--world", "4.20", "--json"]) == 0
        before = capsys.readouterr().out
        assert run(["list", what, "--json"]) == 0
        assert capsys.readouterr().out == before
        assert run(["list", what, "--world", "7.2", "--json"]) == 0
        assert capsys.readouterr().out != before
    assert run(["list", "--world", "7.2"]) == 0
    said = capsys.readouterr().out
    assert "mainline" in said and "O1" in said and "refcount-bias" not in said
    assert run(["list", "scenarios", "--world", "7.2"]) == 0
    said = capsys.readouterr().out
    assert "dma-fsync" in said and "direct-io-fsync" not in said


def test_a_world_without_scenarios(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(worlds.LINUX_7_2, name="bare", scenarios=dict)
    monkeypatch.setitem(worlds.WORLDS, "bare", bare)
    assert run(["list", "scenarios", "--world", "bare"]) == 0
    assert capsys.readouterr().out == "The world bare has no scenarios yet.\n"


def test_functions(capsys: Capture) -> None:
    assert run(["show", "--world", "7.2"]) == 0
    said = capsys.readouterr().out
    assert "block/bio.c" in said and "`pinlab show FUNCTION --world 7.2`" in said
    assert run(["show", "bio_release_page", "--world", "7.2"]) == 0
    said = capsys.readouterr().out
    assert "`pinlab show bio_release_page --world 7.2 --patch > patch.py`" in said


def test_a_patch_is_of_the_world_that_it_was_copied_from(tmp_path: Path, capsys: Capture) -> None:
    assert run(["show", "bio_release_page", "--world", "7.2", "--patch"]) == 0
    (tmp_path / "copy.py").write_text(capsys.readouterr().out)
    assert design.load(str(tmp_path / "copy.py")).world is worlds.LINUX_7_2


def test_a_diff(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "it"
    path.write_text(DIFF)
    assert run(["show", "--touched", str(path), "--world", "7.2"]) == 0
    said = capsys.readouterr().out
    assert "block/bio.c: bio_release_page  -> bio_release_page" in said
    assert "  pinlab show bio_release_page --world 7.2 --patch > bio_release_page.py" in said
    assert "  pinlab check ./bio_release_page.py\n" in said


def test_names_are_completed() -> None:
    asked = SimpleNamespace(params={"world": "7.2"})
    assert show._functions(cast(typer.Context, asked), "bio_rel") == ["bio_release_page"]
    assert options._world_names("7") == ["7.2"]
    assert options._design_names("m")[-1] == "mainline"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "--world", "7.20"], "there is no world '7.20': did you mean 7.2?"),
        (["show", "--world", "old"], "there is no world 'old': there are 4.20, 7.2"),
        (["compare", "--world", "7"], "there is no world '7': "),
        (["list", "mainline", "--world", "7.2"], "leave --world out"),
        (["show", "page_mkclean", "--world", "7.2"], "has no function 'page_mkclean'"),
        (["compare", "mainline", "--world", "7.2"], "if none is named: leave it out"),
        (["check", "mainline", "--with", "gup"], "`pinlab list operations --world 7.2` explains"),
        (["compare", "mainline", "untracked"], "compare designs of one world"),
    ],
)
def test_misuse_is_one_sentence(words: list[str], says: str, capsys: Capture) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert says in said.err and said.err.count("\n") == 1 and not said.out
