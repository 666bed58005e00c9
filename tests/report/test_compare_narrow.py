"""`pinlab compare` can be read in any terminal: it goes on below instead of being cut."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from pinlab.lab.results import Comparison, Cost, Row
from pinlab.objectives.verdict import Verdict
from pinlab.report import table

OBJECTIVES = ["O1", "O2", "O3", *(f"I{i}" for i in (1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13)), "I13b"]
DESIGNS = ["lru-counter-october", *(f"design-{i}" for i in range(15))]


def verdict(design: str, objective: str) -> Verdict:
    steps = 7 * DESIGNS.index(design) + OBJECTIVES.index(objective)
    return Verdict.violated(steps, "1 page") if steps % 3 else Verdict.holds("1 page")


COMPARISON = Comparison(
    tuple(
        Row(design, objective, "direct-io-store-fsync", verdict(design, objective), 250_000, 9, 1.5)
        for design in DESIGNS
        for objective in OBJECTIVES
    ),
    tuple(
        Cost(
            design,
            {"atomic_rmw": 2, "locks": 3, "allocations": 1, "page_table_walks": 1},
            {"atomic_rmw": 2},
            4,
            True,
            False,
        )
        for design in DESIGNS
    ),
)


def lines(width: int, comparison: Comparison = COMPARISON) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(table.compare(comparison))
    return out.getvalue().splitlines()


def cells(shown: list[str]) -> dict[tuple[str, str], str]:
    """What stands under which heading in which design's row, in whatever block it is."""
    found: dict[tuple[str, str], str] = {}
    headings: list[str] = []
    for line in shown:
        words = re.split(r" {2,}", line.strip())
        if words[0] == "design":
            headings = words[1:]
        elif words[0] in DESIGNS:
            found |= {
                (words[0], name): word for name, word in zip(headings, words[1:], strict=True)
            }
    return found


@pytest.mark.parametrize(("width", "tables"), [(60, 3), (80, 2), (100, 2), (130, 1), (200, 1)])
def test_all_verdicts_are_there(width: int, tables: int) -> None:
    shown = lines(width)
    assert "…" not in "".join(shown)
    assert all(cell_len(line) <= width for line in shown)
    found = cells(shown)
    for design in DESIGNS:
        for objective in OBJECTIVES:
            wanted = table.cell(verdict(design, objective)).plain
            assert found[design, objective] == wanted
    heads = [line for line in shown if line.split()[:1] == ["design"]]
    assert sum(set(line.split()) & set(OBJECTIVES) != set() for line in heads) == tables


@pytest.mark.parametrize("width", [60, 80, 100, 130])
def test_all_costs_are_there(width: int) -> None:
    found = cells(lines(width))
    costs = ("2 rmw, 3 lock, 1 alloc, 1 walk", "2 rmw", "+4 B", "yes", "no", "250,000", "1.5")
    headings = ("pin", "unpin", "struct page", "GUP-fast", "unpin in IRQ", "states", "seconds")
    assert tuple(found["lru-counter-october", heading] for heading in headings) == costs


def test_a_name_wider_than_the_terminal_is_folded() -> None:
    path = "./" + "d" * 70 + ".py"
    row = Row(path, "O1", "s", Verdict.holds("1 page"), 1, 1, 0.1)
    shown = lines(60, Comparison((row,), ()))
    text = "".join(line.strip() for line in shown)
    assert "…" not in text
    assert "holds" in "".join(shown[:6])
    assert sum(line.startswith(" design") for line in shown) == 1 + 3  # verdicts, and costs
