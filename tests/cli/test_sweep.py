"""`pinlab sweep`, `check --with` and the lists of what there is to play."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.lab import cluster
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_MISUSE, EXIT_VIOLATED

EXAMPLES = Path(__file__).parents[2] / "examples"

Captured = pytest.CaptureFixture[str]


def test_the_smallest_combination_for_each_objective(capsys: Captured) -> None:
    status = run(["sweep", "bounce", "--with", "unlink", "--from", "dax rw", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert status == EXIT_VIOLATED
    assert (said["schema"], said["size"], said["cut_off"]) == ("pinlab.sweep/1", 2, [])
    rows = {row["objective"]: row for row in said["rows"]}
    assert rows["O3"]["operations"] == ["dax-read@1", "unlink@1"]
    assert (rows["O3"]["state"], rows["O3"]["verdict"]) == ("dax rw", "violated")
    assert (rows["I16"]["verdict"], rows["I16"]["scenario"]) == ("holds", None)


def test_a_person_reads_what_breaks_and_how_to_see_it(capsys: Captured) -> None:
    assert run(["sweep", "bounce", "--with", "unlink", "--from", "dax rw"]) == EXIT_VIOLATED
    words = " ".join(capsys.readouterr().out.split())
    assert "dax-read@1, unlink@1 dax rw" in words
    assert "Nothing breaks O1 O2 I1" in words
    assert "pinlab explain bounce I8 --scenario dax-read@1,unlink@1/dax+rw" in words


def test_nothing_is_broken(capsys: Captured) -> None:
    assert run(["sweep", "bounce", "--with", "get-put", "--from", "clean"]) == EXIT_HOLDS
    assert "violated" not in capsys.readouterr().out


def test_of_a_patch_what_is_not_broken_without_it(capsys: Captured) -> None:
    patch = str(EXAMPLES / "reclaim_tests_dirty_first.py")
    words = ["sweep", patch, "--with", "put-dirty-verify", "--from", "dirty+buffers rw", "--json"]
    assert run(words) == EXIT_VIOLATED
    said = json.loads(capsys.readouterr().out)
    assert said["base"] == "untracked"
    assert {row["objective"] for row in said["broken"]} == {"I4", "I16"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep", "bounce", "--size", "0"], "give 1 to 4 operations"),
        (["sweep", "bounce", "--with", "fsink"], "no operation 'fsink': did you mean fsync"),
        (["sweep", "bounce", "--touching", "fsink"], "no function 'fsink'"),
        (["sweep", "bounce", "--from", "dirtty"], "no word 'dirtty'"),
        (["sweep", "bounce", str(EXAMPLES / "unlink_waits.py")], "sweep it by itself"),
        (["sweep", "bounce", "--ray", "auto", "--jobs", "2"], "leave one of them out"),
        (["check", "bounce", "--from", "clean"], "name them with --with"),
        (["check", "bounce", "--with", "zap@private", "--from", "clean+dirty"], "clean and dirty"),
        (["check", "bounce", "--with", "unlink", "--from", "clean"], "is for dax pages"),
        (["explain", "bounce", "O1", "--scenario", "fsink/clean"], "no operation 'fsink'"),
    ],
)
def test_what_is_refused(words: list[str], sentence: str, capsys: Captured) -> None:
    assert run(words) == EXIT_MISUSE
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_without_ray_it_says_which_extra_brings_it(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in cluster.QUIET | cluster.LOOPBACK:
        monkeypatch.setenv(name, "0")
    assert run(["sweep", "bounce", "--ray", "local"]) == EXIT_MISUSE
    assert capsys.readouterr().err == (
        "pinlab: sweep --ray needs Ray, which is not installed: pip install 'pinlab[ray]'\n"
    )


def test_check_plays_operations_from_each_state_that_fits(capsys: Captured) -> None:
    run(["check", "bounce", "--with", "dax-read, truncate", "--json"])
    played = {row["scenario"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert played == {"dax-read@1,truncate/dax+rw", "dax-read@1,truncate/dax+rw+rw2"}


def test_a_combination_can_be_explained_by_its_name(capsys: Captured) -> None:
    name = "dax-read@1,unlink@1/dax+rw"
    assert run(["explain", "bounce", "O3", "--scenario", name, "--json"]) == EXIT_VIOLATED
    assert json.loads(capsys.readouterr().out)["scenario"] == name


@pytest.mark.parametrize("what", ["operations", "states"])
def test_what_there_is_to_play_is_listed(what: str, capsys: Captured) -> None:
    assert run(["list", what, "--json"]) == EXIT_HOLDS
    names = [each["name"] for each in json.loads(capsys.readouterr().out)[what]]
    assert {"operations": "fsync", "states": "dirty"}[what] in names
