"""docs/weak-memory.md says what the lab says, and the README what it does."""

from __future__ import annotations

import pytest
from tools import design_pages, weak_page
from tools.weak_page import Changed

from pinlab.lab import check, face
from pinlab.lab.weak import NAMES

LINES = [
    ("I13", "mapcount-v1", "direct-io-fsync"),
    ("I4", "untracked", "put-dirty-reclaim"),
]
"""Lines whose verdicts and steps are explored again, by a scenario of theirs."""


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "design", "scenario"), LINES)
def test_a_line_is_what_the_lab_says(objective: str, design: str, scenario: str) -> None:
    [line] = [
        it
        for it in weak_page.written()
        if (it.objective, it.design) == (objective, design) and scenario in it.scenarios
    ]
    it = face.load_design(design)
    steps = []
    for model in NAMES:
        [row] = check.check(it, (scenario,), (objective,), memory_model=model).rows
        steps.append("holds" if row.steps is None else f"✗ {row.steps}")
    assert tuple(steps) == line.verdicts


def test_the_readme_names_what_needs_an_order() -> None:
    needs = weak_page.needs(weak_page.written())
    assert needs["mapcount-v1"] == "I4: sc, I13: x86"
    assert "bounce" not in needs
    text = design_pages.README.read_text()
    head, *lines = [line for line in text.splitlines() if line.startswith("| ")]
    column = [cell.strip() for cell in head.split("|")].index("order")
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")]
        if cells[1].startswith("["):
            name = cells[1][1:].partition("]")[0]
            assert cells[column] == needs.get(name, ""), name


def test_scenarios_that_differ_alike_are_one_line() -> None:
    def row(scenario: str, verdict: str, steps: int | None) -> dict[str, object]:
        return {
            "objective": "O1",
            "design": "d",
            "scenario": scenario,
            "verdict": verdict,
            "steps": steps,
        }

    holds = {"rows": [row("a", "holds", None), row("b", "holds", None), row("c", "holds", None)]}
    breaks = {"rows": [row("a", "violated", 9), row("b", "violated", 7), row("c", "holds", None)]}
    [found] = weak_page.changed([holds, holds, breaks])
    assert found == Changed("O1", "d", ("a", "b"), ("holds", "holds", "✗ 7"))
    assert found.needs == "x86"
    [found] = weak_page.changed([holds, breaks, breaks])
    assert found.needs == "sc"
    unknown = {"rows": [row("a", "unknown", None)]}
    [found] = weak_page.changed([{"rows": holds["rows"][:1]}] * 2 + [unknown])
    assert found.verdicts == ("holds", "holds", "?")
    assert found.needs == ""
