"""`pinlab check`, the answer first: one row per objective, at every width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from pinlab.lab.results import CheckResult, Row
from pinlab.objectives.verdict import Outcome, Verdict
from pinlab.report.answer import answer, by_objective, finished


def row(objective: str, scenario: str, verdict: Verdict, states: int = 2857) -> Row:
    return Row("skip", objective, scenario, verdict, states, 2 * states, 0.25)


HOLDS = Verdict.holds("1 page")
STOPPED = Verdict.unknown("stopped: more than 9,000 states", "1 page")

ROWS = (
    row("O1", "direct-io-fsync", Verdict.violated(39, "1 page")),
    row("O1", "direct-io-store-fsync", Verdict.violated(43, "1 page"), 9001),
    row("O1", "longterm-fsync", Verdict.violated(36, "1 page"), 1002),
    row("O1", "store-fsync", STOPPED, 9001),
    row("O2", "direct-io-fsync", HOLDS),
    row("O2", "longterm-fsync", HOLDS, 1002),
    row("I4", "direct-io-fsync", Verdict.violated(5, reason="bug: BUG_ON(count < 0)")),
    row("I12", "direct-io-fsync", HOLDS),
    row("I12", "direct-io-store-fsync", STOPPED, 9001),
    row("I12", "store-fsync", STOPPED, 9001),
    row("I13", "direct-io-fsync", HOLDS),
)

WIDE = """\
 objective  verdict                                  scenario                                states
 ──────────────────────────────────────────────────────────────────────────────────────────────────
 I4         violated in 5 steps: bug: BUG_ON(count   direct-io-fsync                          2,857
            < 0)
 O1         violated in 36 steps                     longterm-fsync; violated in 2 more,      1,002
                                                     unknown in 1 more
 I12        unknown: stopped: more than 9,000        direct-io-store-fsync; unknown in 1      9,001
            states                                   more, holds in 1
 O2         holds                                    all 2                                    3,859
 I13        holds                                    direct-io-fsync                          2,857

4 scenarios, 21,861 states, 1.0 s
? O1 I12 in store-fsync, direct-io-store-fsync: stopped: more than 9,000 states
`pinlab check skip --all` prints every row, with its bounds; `pinlab explain skip I4` shows how I4
is violated.
"""

NARROW = """\
 objective  verdict          scenario                states
 ──────────────────────────────────────────────────────────
 I4         violated in 5    direct-io-fsync          2,857
            steps: bug:
            BUG_ON(count <
            0)
 O1         violated in 36   longterm-fsync;          1,002
            steps            violated in 2 more,
                             unknown in 1 more
 I12        unknown:         direct-io-store-fsync;   9,001
            stopped: more    unknown in 1 more,
            than 9,000       holds in 1
            states
 O2         holds            all 2                    3,859
 I13        holds            direct-io-fsync          2,857

4 scenarios, 21,861 states, 1.0 s
? O1 I12 in store-fsync, direct-io-store-fsync: stopped:
more than 9,000 states
`pinlab check skip --all` prints every row, with its bounds;
`pinlab explain skip I4` shows how I4 is violated.
"""


def render(what: RenderableType, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(what)
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines()) + "\n"


def test_wide() -> None:
    assert render(answer(CheckResult("skip", ROWS)), 100).lstrip("\n") == WIDE


def test_narrow() -> None:
    assert render(answer(CheckResult("skip", ROWS)), 60).lstrip("\n") == NARROW


@pytest.mark.parametrize("width", [60, 72, 80, 100, 130, 160])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    text = render(answer(CheckResult("skip", ROWS)), width)
    assert "…" not in text
    for word in ("direct-io-store-fsync", "1,002", "I12", "BUG_ON", "explain"):
        assert word in text


def test_the_worst_comes_first() -> None:
    decided = [(rows[0].objective, rows[0].scenario) for rows in by_objective(ROWS)]
    assert decided == [
        ("I4", "direct-io-fsync"),
        ("O1", "longterm-fsync"),  # the shortest of three
        ("I12", "direct-io-store-fsync"),  # the first that is unknown
        ("O2", "direct-io-fsync"),
        ("I13", "direct-io-fsync"),
    ]


def test_the_hint_names_the_design_as_it_was_asked_for() -> None:
    text = render(answer(CheckResult("skip", ROWS), "./skip.py"), 160)
    assert "`pinlab check ./skip.py --all`" in text
    assert "`pinlab explain ./skip.py I4`" in text
    assert "explain" not in render(answer(CheckResult("skip", ROWS[-1:])), 160)


def test_nothing_was_checked() -> None:
    result = CheckResult("skip", (), stopped="interrupted")
    assert result.verdict.outcome is Outcome.UNKNOWN
    assert "Stopped early: interrupted." in render(answer(result), 80)


def test_many_scenarios_are_counted() -> None:
    rows = tuple(row("O1", f"s{i}", STOPPED) for i in range(5))
    assert "? O1 in s0, s1, s2 and 2 more: stopped" in render(answer(CheckResult("x", rows)), 100)


def test_a_scenario_in_one_line() -> None:
    rows = [ROWS[4], ROWS[0], ROWS[6], ROWS[10]]
    assert finished("direct-io-fsync", rows).plain == (
        "direct-io-fsync  I4: violated in 5 steps: bug: BUG_ON(count < 0); "
        "O1: violated in 39 steps; O2 I13: holds; 2,857 states, 0.25 s"
    )
