"""Tables, charts and JSON of small made-up results."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from tests.lab import samples

from pinlab.lab.explore.result import Move
from pinlab.lab.results import CheckResult, Comparison, Trace, TraceStep
from pinlab.objectives.verdict import Outcome, Verdict
from pinlab.report import bugs, chart, litmus, mutants, replay, schema, sweep, table

DOCS = Path(__file__).parents[2] / "docs"


def render(what: RenderableType, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(what)
    return out.getvalue()


def test_compare() -> None:
    lines = render(table.compare(samples.COMPARISON)).splitlines()
    cells = [line.split() for line in lines]
    assert ["design", "O1", "I12", "I13"] in cells
    assert ["untracked", "✗", "9", "-", "holds"] in cells
    assert ["mapcount-v1", "holds", "?", "✗", "23"] in cells  # the worst of its scenarios
    costs = ["mapcount-v1", "2", "rmw,", "1", "lock", "2", "rmw", "+4", "B", "no", "?"]
    assert [*costs, "11,885", "1.5"] in cells  # each exploration once
    text = "\n".join(lines)
    assert samples.BOUNDS in text  # no "holds" without its bounds
    assert "? mapcount-v1, dio-fsync-zap, I12: more than 9,000 states" in text


def test_bounds_that_differ_in_their_figures() -> None:
    assert table.common(("1 page, 2 CPUs, all 7 states", "1 page, 2 CPUs, all 9 states")) == (
        "1 page, 2 CPUs"
    )
    assert table.common(("a, b",)) == "a, b"
    assert table.common(("a, b", "c, b")) == "a, b; or c, b"


def test_compare_that_was_stopped_says_so() -> None:
    assert "Stopped early: Ctrl-C" in render(table.compare(Comparison((), (), "Ctrl-C")))


def test_check() -> None:
    text = render(table.check(samples.RESULT), 160)
    assert "violated in 23 steps" in text
    assert "unknown: more than 9,000 states" in text
    assert text.count(samples.BOUNDS) == 2  # once for each scenario
    assert "`pinlab explain mapcount-v1 I13` shows how." in text
    assert "linux/gup.py:99: gup_pte_range: return 0" in text


def test_check_of_nothing() -> None:
    result = CheckResult("x", (), uncovered=())
    assert result.verdict.outcome is Outcome.UNKNOWN
    assert "Every line of model and design was executed." in render(table.check(result))


def test_chart_has_a_column_for_each_actor() -> None:
    text = render(chart.chart(samples.TRACE), 160)
    assert "mapcount-v1 breaks I13 in 5 steps of dio-fsync-zap" in text
    header = next(line for line in text.splitlines() if "device" in line)
    assert header.split() == list(samples.TRACE.actors)
    at = {actor: header.index(actor) for actor in samples.TRACE.actors}
    zap = next(line for line in text.splitlines() if "zap_pte_range" in line)
    assert zap.index("zap_pte_range") == at["zap"]
    assert "Page[1]._mapcount: 1 -> 2" in text
    assert "reads Page[1]._mapcount = 2" in text
    assert "* answer_unpinned, page 1" in text


MAIL = """\
mapcount-v1 breaks I13 in 5 steps of dio-fsync-zap
I13: the detector never answers "not pinned" while a pin was held all
     along

     dio
     |       fsync
     |       |       zap
     |       |       |       device
     |       |       |       |
"""


def test_mail() -> None:
    text = chart.mail(samples.TRACE)
    assert text.startswith(MAIL)
    assert "\n  2    atomic_inc(page._mapcount)\n" in text
    assert "\n  5  |         answer(page," in text
    assert "reads Page[1]._mapcount = 2\n" in text
    assert "* answer_unpinned, page 1" in text
    assert "\\u201ccleared\\u201d" in text


printable = st.text(max_size=200).map(lambda text: text.replace("\n", " "))


@given(st.integers(1, 30), printable, printable, st.lists(st.tuples(printable, printable)))
def test_mail_is_72_columns_of_ascii(
    actors: int, source: str, function: str, names: list[tuple[str, str]]
) -> None:
    columns = tuple(f"actor {i}" for i in range(actors))
    changes = tuple((name, value, value) for name, value in names)
    reads = tuple(names)
    steps = tuple(
        TraceStep(i + 1, actor, function, "file.py", 1, source, changes, (("pin", 1),), reads)
        for i, actor in enumerate(columns)
    )
    trace = Trace("d", "s", "O1", source, columns, steps, message=source)
    for line in chart.mail(trace).split("\n"):
        assert line.isascii()
        assert len(line) <= 72
        assert line == line.rstrip()


def test_schemas_are_json() -> None:
    for value in (
        schema.compare(samples.COMPARISON),
        schema.check(samples.RESULT),
        schema.explain(samples.TRACE),
        schema.listing({"designs": samples.DESIGNS}),
        schema.nothing_to_explain("d", "O1", None, "claim", Verdict.holds("bounds"), "sc"),
    ):
        assert json.loads(json.dumps(value)) == value


def test_compare_schema_is_what_was_asked_for() -> None:
    value = schema.compare(samples.COMPARISON)
    assert value["schema"] == "pinlab.compare/1"
    names = {"design", "objective", "scenario", "verdict", "steps", "states", "seconds", "bounds"}
    assert all(names <= set(row) for row in value["rows"])
    assert {row["verdict"] for row in value["rows"]} == {"holds", "violated", "unknown"}
    assert [row["steps"] for row in value["rows"]] == [9, None, None, None, 23, None]
    names = {"design", "pin", "unpin", "struct_page_bytes", "gup_fast", "irq_unpin"}
    assert set(value["costs"][0]) == names


SHAPES: list[type[Any]] = [
    schema.RowJson,
    schema.CostJson,
    schema.CompareJson,
    schema.LineJson,
    schema.CheckJson,
    schema.DifferenceJson,
    schema.VerdictChangeJson,
    schema.UnsaidJson,
    schema.FunctionJson,
    schema.FunctionsJson,
    schema.TouchedFunctionJson,
    schema.TouchedJson,
    schema.ChangeJson,
    schema.ReadJson,
    schema.EventJson,
    schema.StepJson,
    schema.MoveJson,
    schema.ExplainJson,
    schema.InfoJson,
    schema.ListJson,
    sweep.SweepRowJson,
    sweep.SweepJson,
    bugs.BuggyJson,
    bugs.FixedJson,
    bugs.SearchJson,
    bugs.BugJson,
    bugs.BugsJson,
    litmus.LitmusModelJson,
    litmus.LitmusJson,
    mutants.KillJson,
    mutants.MutantJson,
    mutants.MutantsJson,
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_field_is_documented(shape: type[Any]) -> None:
    text = (DOCS / "schemas.md").read_text(encoding="utf-8")
    for field in get_type_hints(shape):
        assert f"`{field}`" in text


def test_documented_schemas_exist() -> None:
    text = (DOCS / "schemas.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^## (pinlab\.\w+/\d+)$", text, re.MULTILINE))
    shapes = {str(get_type_hints(shape).get("schema")) for shape in SHAPES}
    assert documented == set(re.findall(r"pinlab\.\w+/\d+", " ".join(shapes)))


def test_replay_is_python_that_says_what_it_shows() -> None:
    text = replay.regression_test(samples.TRACE, "my design.py", beside=True)
    compile(text, "test_replay.py", "exec")
    assert "def test_mapcount_v1_breaks_i13_in_dio_fsync_zap() -> None:" in text
    assert "    Move(1, 1),  # fsync: page_mkclean\n" in text
    assert "face.load_design(str(Path(__file__).parent / 'my design.py'))" in text


def test_replay_survives_odd_text() -> None:
    step = replace(samples.STEPS[0], source='x = """\\N{nothing}"""')
    trace = replace(samples.TRACE, steps=(step,), moves=(Move(0),))
    text = replay.regression_test(trace, "d")
    assert "N{nothing}" in text
    compile(text, "test_replay.py", "exec")
