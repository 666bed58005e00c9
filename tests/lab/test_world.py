"""A world is a value: one that has nothing of Linux goes through the whole lab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab import build, catalogue, check, design, face, worlds
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.touched import touched
from pinlab.objectives.balance import Balance
from pinlab.objectives.verdict import Outcome
from tests.lab.toy.world import TOY


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy is one of the worlds."""
    monkeypatch.setitem(worlds.WORLDS, TOY.name, TOY)
    yield
    design.load.cache_clear()


def test_its_designs_are_found_by_name() -> None:
    assert [(it.name, it.kind) for it in face.designs(TOY)] == [
        ("counted", "detector"),
        ("polite", "detector"),
    ]
    assert design.load("polite").world is TOY
    assert design.load("untracked").world is worlds.DEFAULT
    assert "polite" not in design.names()


def test_a_name_is_of_one_world_and_of_one_design() -> None:
    assert worlds.load(None) is worlds.DEFAULT and worlds.load("toy") is TOY
    with pytest.raises(UsageError, match=r"no world '8\.0': there are 4\.20, 7\.2, toy"):
        worlds.load("8.0")
    names = [name for it in worlds.WORLDS.values() for name in design.names(it)]
    assert len(names) == len(set(names))


def test_check_and_explain() -> None:
    assert [it.verdict.outcome for it in check.check(design.load("counted")).rows] == [
        Outcome.HOLDS
    ]
    found = check.check(design.load("polite"))
    assert {it.objective: it.verdict.outcome for it in found.rows}["I1"] is Outcome.VIOLATED
    trace = found.traces["I1", "party"]()
    assert trace.outcome is Outcome.VIOLATED
    assert [step.actor for step in trace.steps if "page_free" in dict(step.events)]
    assert {step.function for step in trace.steps} <= {"drink", "leave", "put", "take"}


def test_values_are_shown_as_the_world_says() -> None:
    found = check.check(design.load("polite"))
    trace = found.traces["I1", "party"]()
    seen = {pair for step in trace.steps for pair in step.reads}
    seen |= {(name, old) for step in trace.steps for name, old, _ in step.changes}
    assert ("Cup.level", "a sip") in seen


def test_coverage_is_of_its_lines(tmp_path: Path) -> None:
    assert check.check(design.load("counted"), coverage=True).uncovered == ()
    file = tmp_path / "shy.py"
    file.write_text(
        '"""shy: nobody takes what is not full."""\n'
        "from pinlab.lab.language.kernel import READ_ONCE, kernel\n"
        "from tests.lab.toy.model import Cup\n\n\n"
        '@kernel\ndef take(cup: Cup) -> bool:\n    """."""\n    return READ_ONCE(cup.level) == 3\n'
    )
    lines = check.check(design.load(str(file)), coverage=True).uncovered
    assert lines is not None
    assert {(line.file, line.function) for line in lines} == {("model.py", "drink")}


def test_what_it_keeps_no_books_of_does_not_hold() -> None:
    """Nobody judges its states at rest."""
    (balance,) = (it.name for it in objectives.load().values() if isinstance(it, Balance))
    counted = design.load("counted")
    own = {**counted.scenarios, "rest": replace(TOY.scenarios()["party"], name="rest")}
    own["rest"] = replace(own["rest"], judges=(balance,))
    asked = replace(counted, scenarios=own)
    rows = {row.objective: row for row in check.check(asked, objectives=(balance,)).rows}
    assert rows[balance].verdict.outcome is Outcome.UNKNOWN
    assert rows[balance].reason == f"the world toy keeps no books: {balance} is not asked"


def test_compare_and_cost() -> None:
    found = face.compare(("counted", "polite"), jobs=1)
    asked = [row for row in found.rows if row.objective == "I1"]
    assert [(row.design, row.verdict.outcome) for row in asked] == [
        ("counted", Outcome.HOLDS),
        ("polite", Outcome.VIOLATED),
    ]
    assert [(it.design, it.pin["atomic_rmw"], it.struct_page_bytes) for it in found.costs] == [
        ("counted", 1, 0),
        ("polite", 0, 0),
    ]


def test_compare_is_of_one_world() -> None:
    assert {row.design for row in face.compare(world=TOY, jobs=1).rows} == {"counted", "polite"}
    with pytest.raises(UsageError, match=r"untracked is of the world 4\.20, and polite of toy"):
        face.compare(("polite", "untracked"))


def test_a_world_without_scenarios_compares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(worlds.WORLDS, TOY.name, replace(TOY, scenarios=dict))
    design.load.cache_clear()
    with pytest.raises(UsageError, match=r"toy has no scenarios .* `pinlab sweep polite`"):
        face.compare(("polite",))


def test_its_functions_are_catalogued() -> None:
    assert [it.name for it in catalogue.functions(TOY)] == ["put", "take", "drink", "leave"]
    assert catalogue.function("put", TOY).callers == ("drink", "leave")
    assert isinstance(TOY.function("put"), KernelFunction)
    assert TOY.variables == {"Cup.users", "Cup.level"}


def test_a_diff_is_of_its_functions(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_text("--- a/cup.c\n+++ b/cup.c\n@@ -1 +1 @@ void put(void)\n-\told();\n+\tnew();\n")
    assert [it.model for it in touched(path, TOY).functions] == [("put",)]
    assert [it.model for it in touched(path).functions] == [()]


def test_its_scenarios_are_listed() -> None:
    assert [it.name for it in face.scenarios(TOY)] == ["party", "sip"]
    assert "dma-fsync" in {it.name for it in face.scenarios(worlds.load("7.2"))}
    assert "dma-fsync" not in {it.name for it in face.scenarios()}


def test_it_has_no_operations() -> None:
    with pytest.raises(UsageError, match="there is no operation 'fsync'"):
        check.check(design.load("counted"), ("fsync/dirty+buffers",))
    assert face.operations(TOY) == face.states(TOY) == ()


def test_worlds_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"polite is of the world toy, and untracked of 4\.20"):
        design.load("untracked+polite")
    mixed = tmp_path / "mixed.py"
    mixed.write_text(
        "from pinlab.lab.linux.types import Page\nfrom tests.lab.toy.model import Cup\n"
    )
    with pytest.raises(UsageError, match=r"imports from the models of 4\.20 and toy"):
        design.load(str(mixed))
    other = tmp_path / "other.py"
    other.write_text('BASE = "polite"\nfrom pinlab.lab.linux.types import Page\n')
    with pytest.raises(UsageError, match=r"of the world 4\.20, and polite of toy"):
        design.load(str(other))


def test_a_file_is_of_the_world_that_it_imports_from(tmp_path: Path) -> None:
    file = tmp_path / "washed.py"
    file.write_text(
        '"""washed: the host never washes up."""\n'
        "from pinlab.lab.language.kernel import kernel\n"
        "from tests.lab.toy.model import Cup\n\n\n"
        '@kernel\ndef leave(cup: Cup) -> None:\n    """Goes."""\n'
    )
    it = design.load(str(file))
    assert (it.world, it.base, set(it.own)) == (TOY, "counted", {"leave"})
    assert build.program(it).calls["leave"] == frozenset()
