"""`pinlab audit` as a person and as a script see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sarif_pydantic import Sarif
from tests.audit.test_compare import BROKEN, CARELESS, PINS
from tests.audit.trees import tree

from pinlab.cli._app import run

READS = """
int sealed(struct page *page)
{
	if (page_count(page) - page_mapcount(page) > 1)
		return -EBUSY;
	return 0;
}
"""


def kernel(folder: Path, text: str) -> str:
    return str(tree(folder, {"drivers/a.c": text, "mm/memfd.c": READS}))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(("text", "status"), [(PINS, 0), (BROKEN, 1)], ids=["right", "wrong"])
def test_the_status_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, status: int
) -> None:
    assert run(["audit", kernel(tmp_path, text)]) == status
    said = capsys.readouterr().out
    line = "drivers/a.c:4: wrong: hold: pin_user_pages_fast() FOLL_WRITE: "
    assert any(each.startswith(line) for each in said.splitlines()) == bool(status)
    assert "1 site: 1 " + ("wrong" if status else "right") in said


def test_a_site_in_detail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", kernel(tmp_path, BROKEN), "--at", "drivers/a.c:hold"]) == 1
    said = capsys.readouterr().out
    assert "drivers/a.c:7 put_page() in hold()" in said
    assert "when got > 0" in said
    assert "Right would be: unpin_user_page()" in said


@pytest.mark.parametrize("at", ["drivers/a.c:4", "./drivers/a.c:hold", "drivers", "drivers/"])
def test_a_place_may_be_said_in_several_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at: str
) -> None:
    assert run(["audit", kernel(tmp_path, BROKEN), "--at", at]) == 1
    assert "drivers/a.c:7 put_page() in hold()" in capsys.readouterr().out


def test_a_tree_with_nothing_to_see_is_no_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = str(tree(tmp_path, {"drivers/a.c": "int a;\n"}))
    assert run(["audit", nothing]) == 3
    assert "no mm/gup.c" in capsys.readouterr().out
    assert run(["audit", nothing, "--mapcount"]) == 3


def test_a_person_gets_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(["audit", kernel(tmp_path, BROKEN)]) == 1
    assert "drivers/a.c:4 hold" in capsys.readouterr().out


def test_a_line_for_a_program_is_as_long_as_it_must(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["audit", kernel(tmp_path, BROKEN), "--mapcount"]) == 1
    assert (
        "mm/memfd.c:4: blind to pins: sealed: (page_count(page) - page_mapcount(page) > 1)\n"
        in (capsys.readouterr().out)
    )


def test_only_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", kernel(tmp_path, BROKEN), "--only", "right"]) == 0
    assert "No site is of that kind." in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["audit", kernel(tmp_path, BROKEN), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "pinlab.audit/1"
    (site,) = said["sites"]
    assert {key: site[key] for key in ("file", "function", "line", "call", "family", "flags")} == {
        "file": "drivers/a.c",
        "function": "hold",
        "line": 4,
        "call": "pin_user_pages_fast",
        "family": "pin",
        "flags": ["FOLL_WRITE"],
    }
    (path,) = site["paths"]
    assert (path["line"], path["file"], path["release"]) == (7, "drivers/a.c", "put_page")


def test_mapcount(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree_ = kernel(tmp_path, PINS)
    assert run(["audit", tree_, "--mapcount"]) == 1
    assert "1 of 1 reader would be wrong: 1 blind to pins." in capsys.readouterr().out
    assert run(["audit", tree_, "--mapcount", "--pins", "file,mapcount", "--json"]) == 1
    (reader,) = json.loads(capsys.readouterr().out)["readers"]
    assert (reader["function"], reader["effect"]) == ("sealed", "wrong number")
    assert reader["expression"] == "(page_count(page) - page_mapcount(page) > 1)"


def test_a_new_site_that_is_unknown_is_no_pass(tmp_path: Path) -> None:
    keeps = (
        "int keep(unsigned long a)\n{\n\treturn pin_user_pages_fast(a, 1, 0, table->pages);\n}\n"
    )
    old, new = kernel(tmp_path / "old", PINS), kernel(tmp_path / "new", PINS + keeps)
    assert run(["audit", old, new]) == 3


def test_two_trees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = kernel(tmp_path / "old", PINS), kernel(tmp_path / "new", BROKEN)
    assert run(["audit", old, new]) == 1
    assert "1 not right any more" in capsys.readouterr().out
    assert run(["audit", old, old]) == 0
    assert "no site changed" in capsys.readouterr().out
    assert run(["audit", old, new, "--only", "unknown"]) == 0
    assert "No change is of that kind." in capsys.readouterr().out
    assert run(["audit", old, new, "--at", "mm"]) == 0
    assert "No change is of that kind." in capsys.readouterr().out
    assert run(["audit", old, new, "--json"]) == 1
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["before"]["verdict"], change["after"]["verdict"]) == ("right", "wrong")


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        (["{new}"], {"wrong-family", "never-dirty"}),
        (["{careless}"], {"dirty-without-lock"}),
        (["{new}", "--mapcount"], {"mapcount-blind"}),
        (["{old}", "{new}"], {"wrong-family", "never-dirty"}),
        (["{old}"], set()),
    ],
    ids=["sites", "hazards", "readers", "changes", "nothing"],
)
def test_sarif_is_as_its_standard_has_it(tmp_path: Path, words: list[str], rules: set[str]) -> None:
    trees = {
        "old": kernel(tmp_path / "old", PINS),
        "new": kernel(tmp_path / "new", BROKEN),
        "careless": kernel(tmp_path / "careless", CARELESS),
    }
    place = tmp_path / "a.sarif"
    run(["audit", *(each.format(**trees) for each in words), "--sarif", str(place)])
    written = json.loads(place.read_text())
    read = Sarif.model_validate(written)
    assert json.loads(read.model_dump_json(by_alias=True, exclude_none=True)) == written
    (one,) = written["runs"]
    assert {each["ruleId"] for each in one["results"]} == rules
    assert {each["id"] for each in one["tool"]["driver"]["rules"]} == rules


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{tree}", "--only", "rihgt"], "is no verdict of a site"),
        (["{tree}", "--mapcount", "--only", "wrong"], "is no effect on a reader"),
        (["{tree}", "--mapcount", "--pins", "some"], "is no scheme"),
        (["{tree}", "--at", "drivers/b.c"], "no site is at drivers/b.c"),
        (["{tree}", "--mapcount", "--at", "drivers/b.c"], "no reader of a mapcount is at"),
        (["{tree}", "{tree}", "--mapcount"], "goes with one tree"),
        (["{tree}", "--pins", "all"], "--pins goes with --mapcount"),
        (["/nowhere"], "there is no /nowhere"),
        (["{tree}", "--sarif", "/nowhere/a"], "there is no folder /nowhere"),
    ],
)
def test_misuse_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    where = kernel(tmp_path, PINS)
    assert run(["audit", *(each.format(tree=where) for each in words)]) == 2
    said = capsys.readouterr()
    assert sentence in said.err and not said.out
