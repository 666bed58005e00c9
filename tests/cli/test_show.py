"""`pinlab show`: functions of the model, and those that a diff touches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.lab.test_catalogue import DIFF

from pinlab.cli._app import run

Capture = pytest.CaptureFixture[str]


def test_a_function(capsys: Capture) -> None:
    assert run(["show", "__remove_mapping"]) == 0
    said = capsys.readouterr().out
    assert "mm/vmscan.c, 4.20" in said
    assert "called by: shrink_page_list" in said
    assert run(["show", "__remove_mapping", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["functions"]
    assert (one["name"], one["kernel"], one["role"]) == (
        "__remove_mapping",
        ["mm/vmscan.c"],
        "kernel",
    )


def test_all_functions(capsys: Capture) -> None:
    assert run(["show"]) == 0
    assert "mm/gup.c" in capsys.readouterr().out.splitlines()
    assert run(["show", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["functions"]) >= 140


def test_a_patch_runs_as_it_is(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["show", "flush_tlb_page", "--patch"]) == 0
    (tmp_path / "copy.py").write_text(capsys.readouterr().out)
    monkeypatch.chdir(tmp_path)
    assert run(["check", "bounce+./copy.py", "--scenario", "store-fsync"]) == 0
    assert capsys.readouterr().out.startswith("No verdict differs from bounce. ")
    text = (tmp_path / "copy.py").read_text()
    function = (
        text[: text.index("@kernel\n")] + "@kernel\ndef flush_tlb_page() -> None:\n    return"
    )
    (tmp_path / "other.py").write_text(function)
    assert run(["check", "bounce+./other.py", "--scenario", "store-fsync"]) == 1
    differs, _, _ = capsys.readouterr().out.partition("All verdicts of ")
    assert "1 verdict differs from bounce, 1 for the worse." in differs
    assert [line.split()[:3] for line in differs.splitlines() if line.startswith(" I")] == [
        ["I4", "store-fsync", "holds"]
    ]


def test_what_a_diff_touches(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "0001.patch").write_text(DIFF)
    assert run(["show", "--touched", str(tmp_path / "0001.patch")]) == 0
    said = capsys.readouterr().out
    assert "mm/vmscan.c: __remove_mapping  -> __remove_mapping\n" in said
    assert "Not in the model" in said and "mm/vmscan.c: never_there" in said
    assert "pinlab check bounce+./__remove_mapping.py+./end_page_io.py" in said
    assert run(["show", "--touched", str(tmp_path / "0001.patch"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["touched"][1]["model"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pagout"], "did you mean pageout?"),
        (["--patch"], "name it"),
        (["pageout", "--touched", "x"], "give no function"),
        (["--touched", "/no/such.patch"], "there is no file"),
    ],
)
def test_misuse_is_one_sentence(words: list[str], says: str, capsys: Capture) -> None:
    assert run(["show", *words]) == 2
    said = capsys.readouterr()
    assert says in said.err and said.err.count("\n") == 1 and not said.out
