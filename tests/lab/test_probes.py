"""What a limit cuts off is unknown: neither a no, nor a verdict that builds on one."""

from __future__ import annotations

import pytest
from rich.console import Console

from pinlab.lab import face, probes
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import Comparison
from pinlab.objectives.verdict import Outcome
from pinlab.report import schema, table

KEYS = ("gup_fast_works", "irq_unpin_works")


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that other tests have found do not count here."""
    monkeypatch.setattr(probes, "_probed", {})


def cut_off(states: int) -> Comparison:
    return face.compare(("refcount-bias",), limits=Limits(max_states=states), jobs=1)


def test_a_probe_that_is_cut_off_says_nothing() -> None:
    design = face.load_design("refcount-bias")
    cut = face.probe(design, Limits(max_states=2))
    assert [cut.keys[key] for key in KEYS] == [None, None] and cut.known == {}
    assert cut.stopped == "more than 2 states"
    assert [face.probe(design).keys[key] for key in KEYS] == [1, 1]  # it is asked again


def test_a_failure_says_no_even_if_the_rest_is_cut_off() -> None:
    design = face.load_design("fake-vma")
    cut = face.probe(design, Limits(max_states=3))
    assert [cut.keys[key] for key in KEYS] == [0, None]


def test_verdicts_that_depend_on_it_are_unknown() -> None:
    found = cut_off(2)
    assert found.rows
    assert {row.verdict.outcome for row in found.rows} == {Outcome.UNKNOWN}
    why = "the probe of gup_fast_works, irq_unpin_works was cut off: more than 2 states"
    assert {row.reason for row in found.rows} == {why}


def test_a_question_mark_in_the_table_and_null_in_json() -> None:
    found = cut_off(2)
    (cost,) = schema.compare(found)["costs"]
    assert (cost["gup_fast"], cost["irq_unpin"]) == (None, None)
    assert cost["pin"]["locks"] > 0, "counted as a pin that does not run in GUP-fast"
    console = Console(width=200)
    with console.capture() as shown:
        console.print(table.compare(found))
    lines = shown.get().split("GUP-fast", 1)[1].split("\n")
    (line,) = [each for each in lines if each.lstrip().startswith("refcount-bias")]
    assert line.split("+0 B")[1].split()[:2] == ["?", "?"]
