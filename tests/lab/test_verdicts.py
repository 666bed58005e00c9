"""What a verdict needs before it is one: see `pinlab.lab.verdicts`."""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab import check, design
from pinlab.lab.scenarios import scenario
from pinlab.objectives.verdict import Outcome
from tests.lab.beside import beside

UNTRACKED = design.load("untracked")


DAX_TRUNCATE = scenario.load()["dax-truncate"]


def test_an_objective_that_nothing_can_violate_does_not_hold() -> None:
    """No line of this scenario comes to long-term pins; I9 it can violate."""
    it = replace(scenario.load()["munmap-gup-fast"], name="s", judges=("I9", "I11"))
    rows = {row.objective: row for row in check.check(beside(UNTRACKED, it), ("s",)).rows}
    assert rows["I11"].verdict.outcome is Outcome.UNKNOWN
    assert rows["I11"].reason == ("nothing here can violate it: no line leads to pin_longterm_dax")


def test_what_must_come_first_counts_as_well() -> None:
    """A block is freed and reused by truncate, but O3 is about a page that is pinned."""
    alone = tuple(task for task in DAX_TRUNCATE.tasks if task.name == "truncate")
    it = replace(DAX_TRUNCATE, name="s", tasks=alone, reach=(), unless={}, judges=("O3",))
    (row,) = check.check(beside(UNTRACKED, it), ("s",)).rows
    assert row.verdict.outcome is Outcome.UNKNOWN
    assert row.reason.startswith("nothing here can violate it")


def test_i11_is_judged_where_a_long_term_pin_may_come_to_a_dax_page() -> None:
    (row,) = check.check(UNTRACKED, ("longterm-dax",), ("I11",)).rows
    assert row.verdict.outcome is Outcome.HOLDS


def test_what_is_lost_from_the_first_state_says_so() -> None:
    (row,) = check.check(design.load("block"), ("longterm-invalidate",), ("I12",)).rows
    assert (row.steps, row.reason) == (0, "lost from the first state: it can never come true")
