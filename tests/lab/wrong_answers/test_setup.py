"""Systems, scenarios and declarations that were once taken for others: refused now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import pinlab.lab.scenarios
from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab import check, design, face
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    Struct,
    bounded,
    flag,
    kernel,
    per_page,
    static_branch,
    trace,
)
from pinlab.lab.language.program import Actor, System
from pinlab.lab.language.source import LanguageError
from pinlab.lab.scenarios import scenario as scenarios
from pinlab.lab.scenarios.scenario import ReachEvents, Task
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from tests.lab.beside import beside
from tests.lab.language.files import module_of
from tests.lab.language.solo import system

x = bounded(0, 7)
seen = bounded(0, 7)


@kernel
def copy() -> None:
    WRITE_ONCE(seen, READ_ONCE(x))


PROGRAM = compile_program([copy])
ACTOR = Actor("a", "copy")

# ------------------------------------------------------------------ 2: a system is what it says


@pytest.mark.parametrize(
    ("initial", "says"),
    [
        ({"x": (1, 2)}, r"x has 1 element\(s\), not 2"),
        ({"x": ()}, "x has 1 element"),
        ({"x": (9,)}, r"x = 9 is outside \[0, 7\]"),
        ({"sen": (3,)}, "sen: there is no such variable, did you mean seen"),
    ],
)
def test_2_a_first_state_that_does_not_fit_is_refused(
    initial: dict[str, tuple[int, ...]], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        System(PROGRAM, (ACTOR,), initial)


@pytest.mark.parametrize(
    ("actors", "says"),
    [
        ((Actor("a", "copi"),), "no actor can start in copi, did you mean copy"),
        ((Actor("a", "copy", (1,)),), r"copy takes 0 argument\(s\), not 1"),
        ((Actor("a", "copy", irq_of=1),), "a interrupts actor 1, which has no CPU"),
        ((Actor("a", "copy", irq_of=0),), "a interrupts actor 0, which has no CPU"),
    ],
)
def test_2_actors_that_do_not_fit_are_refused(actors: tuple[Actor, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        System(PROGRAM, actors)


def test_2_an_unknown_automaton_is_refused() -> None:
    with pytest.raises(ValueError, match="O1: there is no such automaton"):
        System(PROGRAM, (ACTOR,), watch=("O1",))


def test_19_an_eighth_actor_is_refused_before_it_fails() -> None:
    System(PROGRAM, (ACTOR,) * 7)
    with pytest.raises(ValueError, match="8 actors: there may be 7 at most"):
        System(PROGRAM, (ACTOR,) * 8)


# ------------------------------------------------------------------- 3, 15: two of one name

NODE = """from __future__ import annotations
from pinlab.lab.language.kernel import *
class Node(Struct, count={count}):
    x = bounded(0, {most})
irqs_off = bounded(0, 3)
@kernel
def set_{most}(node: Node) -> None:
    WRITE_ONCE(node.x, 5)
@kernel
def switch() -> None:
    WRITE_ONCE(irqs_off, 1)
"""


def test_3_two_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    wide = module_of(tmp_path, NODE.format(count=2, most=7))
    narrow = module_of(tmp_path, NODE.format(count=1, most=3))
    with pytest.raises(LanguageError, match=r"something else is called Node.x too") as refused:
        system((wide.set_7, 2), (narrow.set_3, 1))
    assert refused.value.line == 8
    with pytest.raises(LanguageError, match="something else is called irqs_off too"):
        system(wide.switch)


_mapcount = per_page(0, 3, bytes=4)


class Paper(Struct, count=2):
    _mapcount = bounded(0, 7)


@kernel
def write_both(paper: Paper) -> None:
    WRITE_ONCE(paper._mapcount, 5)
    WRITE_ONCE(_mapcount[paper], 1)


def test_15_a_field_of_a_design_named_as_one_of_the_structure_is_refused() -> None:
    with pytest.raises(LanguageError, match="Paper has a field _mapcount"):
        system((write_both, 1))


# --------------------------------------------------------------- 4: a static key that is written

key = flag()


@kernel
def looks_at_the_key() -> None:
    if static_branch(key):
        WRITE_ONCE(seen, 1)


@kernel
def writes_the_key() -> None:
    WRITE_ONCE(key, 1)


def test_4_a_static_key_that_a_step_writes_is_refused_with_both_places() -> None:
    with pytest.raises(LanguageError, match=r"key is written here.* at .*test_setup.py:\d+"):
        system(looks_at_the_key, writes_the_key)


# --------------------------------------------------------------- 8: trace before the first step


class Thing(Struct, count=1):
    x = flag()


@kernel
def early(thing: Thing) -> None:
    trace(Event.PAGE_FREE, thing)
    WRITE_ONCE(thing.x, 1)


def test_8_an_event_before_the_first_step_is_refused() -> None:
    with pytest.raises(UsageError, match=r"test_setup.py:\d+: .* before its first step"):
        Interpreter(system((early, 1)))


# ------------------------------------------------------------------------- 22: scenarios

SCENARIO = scenarios.load()["direct-io-fsync"]
UNTRACKED = design.load("untracked")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"judges": ("O11",)}, "no objective 'O11': did you mean O1"),
        ({"tasks": (Task("a", copy), Task("a", copy))}, "two tasks are called a"),
        ({"tasks": (Task("a", copy, irq_of="b"),)}, "there is no task 'b'"),
        ({"unless": {"pined": ("skip",)}}, "there is no goal 'pined'"),
        ({"reach": (ReachEvents("O1", (Event.PIN,)),)}, "O1 is an objective"),
    ],
)
def test_22_a_misspelt_scenario_is_refused_with_the_nearest_name(
    changes: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        replace(SCENARIO, **changes).fit(objectives.load())  # type: ignore[arg-type]


def test_22_a_task_must_start_in_a_kernel_function() -> None:
    with pytest.raises(TypeError, match="mark it @kernel"):
        replace(SCENARIO, tasks=(Task("a", print),))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"initial": {"Page._refcnt": (1,)}}, "no variable 'Page._refcnt': did you mean Page._ref"),
        ({"initial": {"Page._refcount": (1,)}}, r"Page._refcount has 4 element\(s\), not 1"),
        ({"tasks": (*SCENARIO.tasks[:4], Task("f", SCENARIO.tasks[4].function))}, "takes 2 arg"),
    ],
)
def test_22_a_scenario_that_does_not_fit_the_model_breaks_its_own_use_only(
    changes: dict[str, object], says: str
) -> None:
    design = beside(UNTRACKED, replace(SCENARIO, name="bad", **changes))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"scenario bad: .*{says}"):
        check.check(design, ("bad",))
    rows = check.check(design, objectives=("I9",)).rows
    assert {row.scenario for row in rows} == {"munmap-gup-fast"}
    unknown = [row for row in check.check(design, None, ("I13",)).rows if row.scenario == "bad"]
    assert [row.verdict.outcome for row in unknown] == [Outcome.UNKNOWN]
    assert any(info.name == "bad" for info in face.scenarios(design))


def test_22_a_scenario_file_that_cannot_be_loaded_is_listed_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "half_done.py").write_text("import no_such_module\n")
    path = [*pinlab.lab.scenarios.__path__, str(tmp_path)]
    monkeypatch.setattr(pinlab.lab.scenarios, "__path__", path)
    found = scenarios.load.__wrapped__()
    assert "No module named 'no_such_module'" in found["half-done"].fault
    assert found["direct-io-fsync"].tasks == SCENARIO.tasks
    with pytest.raises(UsageError, match=r"half_done.py cannot be loaded"):
        check.check(beside(UNTRACKED, found["half-done"]), ("half-done",))


def test_19_a_variant_of_a_design_excludes_what_its_base_excludes(tmp_path: Path) -> None:
    variant = tmp_path / "variant.py"
    variant.write_text('"""variant: october again"""\nBASE = "lru-counter-october"\n')
    assert design.load(str(variant)).lineage == {str(variant), "lru-counter-october"}
    combined = design.load("lru-counter-october+bounce")
    assert {"lru-counter-october", "bounce"} <= combined.lineage
