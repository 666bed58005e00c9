"""`pinlab mutate`: what a person reads, what a script gets, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.lab import patch as patches
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_MISUSE, EXIT_UNKNOWN, EXIT_VIOLATED

EXAMPLES = Path(__file__).parents[2] / "examples"

Captured = pytest.CaptureFixture[str]


def test_a_line_for_each_mutant_of_a_function(capsys: Captured) -> None:
    status = run(["mutate", "ext4_evict_inode"])
    words = " ".join(capsys.readouterr().out.split())
    assert status == EXIT_HOLDS
    assert "dropped" in words and "unlink@1" in words
    assert "1 mutant: 1 killed, 0 survived; 100.0% of those" in words


@pytest.mark.slow
def test_a_survivor_is_a_violation(capsys: Captured, tmp_path: Path) -> None:
    """In a patch, as no reason of the model is one for somebody else's function."""
    file = tmp_path / "patch.py"
    file.write_text(patches.patch("dax_truncate"))
    assert run(["mutate", str(file), "--json"]) == EXIT_VIOLATED
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["world"]) == ("pinlab.mutants/1", "4.20")
    assert said["killed"] + said["survived"] + said["equivalent"] == len(said["mutants"])
    assert said["survived"] and said["killed"]
    for each in said["mutants"]:
        assert (each["by"] is not None) == (each["status"] == "killed")


def test_what_was_not_hunted_is_unknown(capsys: Captured) -> None:
    assert run(["mutate", "ext4_evict_inode", "--score"]) == EXIT_UNKNOWN
    assert "1 not hunted yet" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["page_mkclaen"], "no mutants of 'page_mkclaen'"),
        (["pte_none"], "no mutants of 'pte_none'"),
        (["one.py", "two.py"], "name one patch by itself"),
        (["bounce", "page_mkclean"], "name one patch by itself"),
        (["bounce", "--world", "4.20"], "leave --world out"),
        (["page_mkclean", str(EXAMPLES / "unlink_waits.py")], "name one patch by itself"),
        ([str(EXAMPLES / "unlink_waits.py"), "--world", "7.2"], "leave --world out"),
        (["page_mkclean", "--world", "5.0"], "there is no world '5.0'"),
    ],
)
def test_misuse_is_one_sentence(capsys: Captured, words: list[str], sentence: str) -> None:
    assert run(["mutate", *words]) == EXIT_MISUSE
    said = capsys.readouterr().err
    assert sentence in " ".join(said.split())
    assert "Traceback" not in said
