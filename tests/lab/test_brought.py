"""A file brings scenarios, tasks, fields and objectives of its own, and they count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.errors import UsageError
from pinlab.lab import check, design, face
from pinlab.objectives.verdict import Outcome

FILE = '''"""mine: a caller that dirties without the page lock, beside truncate"""

from __future__ import annotations

from pinlab.lab.language.kernel import NULL, WRITE_ONCE, kernel, per_page, u1
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.gup import get_user_pages_fast
from pinlab.lab.linux.swap import put_user_page
from pinlab.lab.linux.truncate import ext4_setattr
from pinlab.lab.linux.types import FILE, SHARED, AddressSpace, Mm, Vma
from pinlab.lab.scenarios.words import state
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.objectives.build import while_pinned
from pinlab.objectives.events import Event

looks = per_page(0, 1, bytes=4)
clean = while_pinned("N1", "nobody makes a pinned page dirty", "this test", [Event.DIRTY])

@kernel
def pin_and_dirty(mm: Mm, vma: Vma, index: u1, mapping: AddressSpace) -> None:
    WRITE_ONCE(looks[mapping], 1)
    page = get_user_pages_fast(mm, vma, index, 1)
    if page != NULL:
        set_page_dirty(page)
        put_user_page(page)

beside = Scenario(
    name="beside",
    summary="pin and dirty beside truncate",
    tasks=(
        Task("dirtier", pin_and_dirty, (1, SHARED, 0, FILE)),
        Task("truncate", ext4_setattr, (FILE, 0)),
    ),
    initial={**state("dirty+buffers rw").values, "truncates": (1,)},
    judges=("O2", "N1"),
    bounds="1 page",
    reach=(ReachEvents("the page is pinned", (Event.PIN,)),),
)
'''

PATCH = """from __future__ import annotations
from pinlab.lab.language.kernel import kernel, set_bit
from pinlab.lab.linux.types import Page
@kernel
def set_page_dirty(page: Page) -> None:
    set_bit(page.PG_dirty)
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(FILE)
    return str(tmp_path / "mine.py")


def test_a_scenario_of_its_own_is_played_by_any_design(mine: str) -> None:
    for name in (mine, f"bounce+{mine}"):
        found = check.check(face.load_design(name), ("beside",))
        assert {row.objective: row.verdict.outcome for row in found.rows} == {
            "O2": Outcome.VIOLATED,
            "N1": Outcome.VIOLATED,
        }
        trace = found.traces["N1", "beside"]()
        assert trace.outcome is Outcome.VIOLATED
        assert trace.claim == "nobody makes a pinned page dirty"
        assert trace.steps[-1].events[-1][0] == "dirty"


def test_the_others_stay_as_they_are(mine: str) -> None:
    own = check.check(face.load_design(mine), ("direct-io-truncate",))
    plain = check.check(face.load_design("untracked"), ("direct-io-truncate",))
    assert [(r.objective, r.verdict, r.states) for r in own.rows] == [
        (r.objective, r.verdict, r.states) for r in plain.rows
    ]


def test_what_it_builds_on_is_asked_the_same(mine: str, tmp_path: Path) -> None:
    (tmp_path / "patch.py").write_text(PATCH)
    patch = face.load_design(f"{mine}+{tmp_path / 'patch.py'}")
    base = face.base(patch)
    assert base is not None
    before, after = (check.check(it, ("beside",)) for it in (base, patch))
    assert {row.objective for row in before.rows} == {"O2", "N1"}
    fixed = face.difference(patch, before, after)
    assert {(it.objective, it.scenario) for it in fixed.changes} == {
        ("O2", "beside"),
        ("N1", "beside"),
    }


def test_an_objective_that_no_scenario_of_its_own_names_is_judged_where_it_can_break(
    tmp_path: Path,
) -> None:
    (tmp_path / "only.py").write_text(
        "from pinlab.objectives.build import never\nfrom pinlab.objectives.events import Event\n"
        'N2 = never("N2", "no page is freed", "this test", [Event.PAGE_FREE])\n'
    )
    found = check.check(face.load_design(str(tmp_path / "only.py")), objectives=("N2",))
    assert found.verdict.outcome is Outcome.VIOLATED
    played = {row.scenario for row in found.rows}
    assert "direct-io-truncate" in played
    assert not any("nothing here can violate it" in str(row.verdict) for row in found.rows)


def test_its_fields_count_where_they_are(mine: str) -> None:
    own = face.load_design(mine)
    assert own.fields == {"looks": 4}
    assert face.cost(own).struct_page_bytes == 0  # it is one of struct address_space


BAD = {
    "a task that is not there": ('Task("truncate", ext4', 'Task("t", aio', "name 'aio_setattr'"),
    "an irq of nobody": (
        "(FILE, 0)),",
        '(FILE, 0), irq_of="dirtyer"),',
        "bad.py:27 cannot be imported: ValueError: truncate: there is no task 'dirtyer': did you",
    ),
    "an unknown objective": ('"N1"),\n    b', '"N3"),\n    b', "no objective 'N3': there are I1"),
    "nothing to judge": ('judges=("O2", "N1")', "judges=()", "it judges nothing: name objectives"),
    "an objective of the thread": ('"N1", "nobody', '"O1", "nobody', "there is an objective O1 al"),
    "by another case": ('"N1", "nobody', '"i13B", "nobody', "there is an objective i13B already"),
    "a scenario of the package": (
        'name="beside"',
        'name="store-fsync"',
        "two scenarios are called",
    ),
    "a name with blanks": ('name="beside"', 'name="be side"', "'be side': a name is letters, dig"),
    "an escape": ('"N1", "nobody', r'"N\x1b1", "nobody', "a name is letters, digits"),
    "a claim of two lines": (
        "a pinned page dirty",
        r"a pinned\npage dirty",
        "each one line of text",
    ),
    "another goal": ("(Event.PIN,)", "(Event.UNPIN,)", "a different goal 'the page is pinned'"),
    "a probe": ('bounds="1', 'probes="k", bounds="1', "leave `probes` out"),
    "a function that nobody starts": ("pin_and_dirty, (1", "ext4_setattr, (1", "nothing calls it"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_one_is_refused_in_a_sentence(what: str, tmp_path: Path) -> None:
    old, new, says = BAD[what]
    assert FILE.count(old) == 1, old
    (tmp_path / "bad.py").write_text(FILE.replace(old, new))
    with pytest.raises(UsageError) as refused:
        design.load(str(tmp_path / "bad.py"))
    assert says in str(refused.value)
    assert "bad.py" in str(refused.value)


def test_one_that_nobody_would_find_is_refused(tmp_path: Path) -> None:
    hidden = FILE.replace("beside = Scenario(", "beside = (Scenario(") + ",)\n"
    (tmp_path / "bad.py").write_text(hidden.replace("),\n)\n,)", "),\n),)"))
    with pytest.raises(UsageError, match="beside holds scenarios or objectives where nobody looks"):
        design.load(str(tmp_path / "bad.py"))


def test_two_files_that_bring_one_name_are_refused(mine: str, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(FILE)
    with pytest.raises(UsageError, match="two of its files bring a beside: rename one"):
        design.load(f"{mine}+{tmp_path / 'other.py'}")
    assert design.load(f"{mine}+{mine}").scenarios.keys() == {"beside"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"truncates": (1,)', '"truncats": (1,)', "no variable 'truncats': did you mean truncates"),
        ('"truncates": (1,)', '"truncates": (1, 1)', r"truncates has 1 element\(s\), not 2"),
        (
            "reach=(",
            'reach=(ReachFunction("w", "trunkate_inode_page"),',
            "reach: there is no function 'trunkate_inode_page': did you mean truncate_inode_page",
        ),
        ("(1, SHARED, 0, FILE)", "(1, SHARED, 0)", r"pin_and_dirty takes 4 argument\(s\), not 3"),
    ],
)
def test_a_scenario_that_does_not_fit_the_model_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    (tmp_path / "bad.py").write_text(FILE.replace(old, new))
    with pytest.raises(UsageError, match=f"scenario beside: .*{says}"):
        face.load_design(str(tmp_path / "bad.py"))


def test_two_files_whose_tasks_start_in_functions_of_one_name_are_refused(
    mine: str, tmp_path: Path
) -> None:
    other = FILE.replace('"beside"', '"also-beside"').replace('"N1"', '"N2"')
    (tmp_path / "other.py").write_text(other)
    with pytest.raises(UsageError, match=r"two functions called pin_and_dirty, .*mine.py:\d+ and"):
        face.load_design(f"{mine}+{tmp_path / 'other.py'}")


def test_it_is_listed_and_drawn(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", mine, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed["scenarios"]] == ["beside"]
    assert [each["name"] for each in listed["objectives"]] == ["N1"]
    assert [each["summary"] for each in listed["fields"]] == ["+4 B"]
    assert listed["functions"] == []
    assert run(["list", mine]) == 0
    assert "pin and dirty beside truncate" in capsys.readouterr().out
    assert run(["draw", "n1", mine]) == 0
    assert "// N1: nobody makes a pinned page dirty" in capsys.readouterr().out


def test_it_is_explained_in_every_form(
    mine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = tmp_path / "test_replay.py"
    assert run(["explain", mine, "N1", "--mail", "-o", str(replay)]) == 1
    assert "N1: nobody makes a pinned page dirty" in capsys.readouterr().out
    names: dict[str, object] = {"__file__": str(replay)}
    exec(replay.read_text(), names)
    for name, test in names.items():
        if name.startswith("test_"):
            assert callable(test)
            test()
    assert run(["explain", mine, "N1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["scenario"] == "beside"
    assert run(["compare", mine, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["scenario"] for row in rows if row["objective"] == "N1"} == {"beside"}
    assert run(["check", mine, "-s", "beside", "--coverage"]) == 1
    assert "truncate.py" in capsys.readouterr().out


COMMANDS = (["check"], ["compare"], ["list"], ["explain"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("signature.py", PATCH.replace("page: Page", "other: Page"), "is declared (page: Page)"),
        ("impure.py", PATCH.replace("set_page_dirty", "pte_none"), "mark it @pure"),
        ("unknown.py", PATCH.replace("page_dirty", "page_dirtied"), "no function of the model"),
        ("key.py", PATCH.replace("page.PG_dirty", "truncates"), "truncates"),
        (
            "task.py",
            FILE.replace("driver, (1", "drivr, (1").replace("dirty, (1", "dirtied, (1"),
            "",
        ),
        ("taken.py", FILE.replace('"N1", "nobody', '"O1", "nobody'), "an objective O1 already"),
        ("imports.py", "import no_such_module\n", "imports.py:1 cannot be imported"),
        ("syntax.py", "def (\n", "correct the syntax"),
        ("empty.py", "", "replaces no function of the model"),
        ("folder.py", None, "is a directory: give one .py file"),
        ("missing.py", "-", "there is no file"),
    ],
)
def test_a_bad_file_is_one_sentence_for_every_command(
    name: str, text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if text is None:
        path.mkdir()
    elif text != "-":
        path.write_text(text.replace("import kernel, set_bit\n", KEYS) if "key" in name else text)
    for command in COMMANDS:
        asked = ["O1"] if command == ["explain"] else []
        assert run([*command, str(path), *asked]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("pinlab: ")
        assert says in lines[0]
        assert name in lines[0]


KEYS = "import kernel, set_bit\nfrom pinlab.lab.linux.keys import truncates\n"


OBJECTIVE = """from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.progress import Progress
G = Automaton(
    name="g",
    claim="c",
    source="s",
    states=("a", "b"),
    step={("a", Event.WRITEBACK_START): "b"},
    bad=frozenset({("b", Event.WRITEBACK_END)}),
)
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Event.WRITEBACK_START", '"writeback_start"', "no event 'writeback_start': did you mean"),
        ("Event.WRITEBACK_END", '"wb_ended"', "no event 'wb_ended': did you mean wb_end?"),
        ('{("b", Event.WRITEBACK_END)}', "", "nothing can violate it: no state of `bad`"),
        ('"b"}', '"a"}', "nothing can violate it: no state of `bad`"),
        ('name="g"', "name=3", "objective 3: a name is letters"),
        ("G = ", 'P = Progress("p", "c", "s", "unpinn")\nG = ', "no event 'unpinn': did you mean"),
    ],
)
def test_an_objective_that_nothing_could_violate_is_refused(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    assert OBJECTIVE.count(old) == 1
    (tmp_path / "g.py").write_text(OBJECTIVE.replace(old, new))
    with pytest.raises(UsageError) as refused:
        design.load(str(tmp_path / "g.py"))
    assert says in str(refused.value)


def test_one_that_no_scenario_can_violate_is_unknown_and_not_left_out(tmp_path: Path) -> None:
    never = OBJECTIVE.replace("WRITEBACK_START", "BLOCK_REUSE").replace("BACK_END", "BACK_BOUNCE")
    (tmp_path / "g.py").write_text(never)
    rows = check.check(face.load_design(str(tmp_path / "g.py")), objectives=("g",)).rows
    assert {row.verdict.outcome for row in rows} == {Outcome.UNKNOWN}


def test_progress_of_its_own_is_asked_where_a_line_says_its_event(tmp_path: Path) -> None:
    text = (
        'from pinlab.objectives.events import Event\nP = Progress("p", "c", "s", Event.COW_LEAK)\n'
    )
    (tmp_path / "p.py").write_text(OBJECTIVE.split("\nG")[0] + "\n" + text)
    rows = check.check(face.load_design(str(tmp_path / "p.py")), objectives=("p",)).rows
    assert {row.scenario for row in rows} == {"anon-vmsplice"}


WRONG = {
    "initial": ('"truncates": (1,)', '"truncates": 1', "truncates: write a tuple of integers"),
    "initial of texts": ('"truncates": (1,)', '"truncates": ("1",)', "a tuple of integers"),
    "name": ('name="beside"', "name=3", "name: 3 is no str"),
    "judges": ('judges=("O2", "N1")', 'judges="O2"', "judges: 'O2' is no tuple"),
    "daemon": ("(FILE, 0)),", '(FILE, 0), daemon="no"),', "daemon: 'no' is no bool"),
    "args": ("(FILE, 0)),", '("x", 0)),', "args: structures and values are passed by number"),
    "bounds": ('bounds="1 page"', "bounds=None", "bounds: None is no str"),
    "unless": ('bounds="1', 'unless={"the page is pinned": "skip"}, bounds="1', "tuple of names"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_value_of_another_type_is_refused_with_the_field(what: str, tmp_path: Path) -> None:
    old, new, says = WRONG[what]
    (tmp_path / "bad.py").write_text(FILE.replace(old, new))
    with pytest.raises(UsageError) as refused:
        face.load_design(str(tmp_path / "bad.py"))
    assert says in str(refused.value)


def test_that_all_finish_is_no_question_where_none_has_to(tmp_path: Path) -> None:
    idle = FILE.replace("FILE)),\n", "FILE), daemon=True),\n").replace("0)),", "0), daemon=True),")
    (tmp_path / "idle.py").write_text(idle.replace('("O2", "N1")', '("I12", "N1")'))
    rows = check.check(face.load_design(str(tmp_path / "idle.py")), ("beside",), ("I12",)).rows
    assert [row.verdict.reason for row in rows] == ["no task of it has to finish"]


def test_a_file_that_only_asks_is_no_base(mine: str, tmp_path: Path) -> None:
    (tmp_path / "patch.py").write_text(PATCH + 'BASE = "bounce"\n')
    for name in (f"{mine}+{tmp_path / 'patch.py'}", f"{tmp_path / 'patch.py'}+{mine}"):
        it = face.load_design(name)
        assert it.base == f"bounce+{mine}"
        assert it.replaced.keys() > design.load("bounce").own.keys()


def test_no_base_is_dropped_in_silence(tmp_path: Path) -> None:
    other = PATCH.replace("set_page_dirty", "set_page_dirty_lock")
    (tmp_path / "plain.py").write_text(PATCH)
    (tmp_path / "based.py").write_text(other + 'BASE = "bounce"\n')
    plain, based = str(tmp_path / "plain.py"), str(tmp_path / "based.py")
    whole = design.load(f"bounce+{plain}+{based}")
    for name in (f"{plain}+{based}", f"{based}+{plain}", f"{plain}+bounce+{based}"):
        it = design.load(name)
        assert (it.base, it.replaced) == ("bounce", whole.replaced)
    third = other.replace("set_page_dirty_lock", "lock_page") + 'BASE = "block"\n'
    (tmp_path / "third.py").write_text(third)
    with pytest.raises(UsageError, match="its files build on block and bounce: say which"):
        design.load(f"{based}+{tmp_path / 'third.py'}")


def test_an_objective_that_only_a_misuse_can_violate_is_not_left_out(mine: str) -> None:
    text = Path(mine).read_text().replace('bounds="1 page"', 'bounds="1 page", misuse="no lock"')
    Path(mine).write_text(text)
    rows = check.check(face.load_design(mine), objectives=("N1",)).rows
    assert rows and "beside" not in {row.scenario for row in rows}


def test_two_that_replace_the_same_are_refused(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(PATCH)
    with pytest.raises(UsageError, match="both replace set_page_dirty: leave one out"):
        design.load(f"{tmp_path / 'one.py'}+{tmp_path / 'two.py'}")
    with pytest.raises(UsageError, match="bounce and block both replace writeback_pinned"):
        design.load("bounce+block")
