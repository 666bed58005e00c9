"""docs/findings/sweep.md is what a sweep of today finds."""

from __future__ import annotations

import pytest
from tools import sweep_page

from pinlab.lab import face
from pinlab.lab.results import Wanted
from pinlab.report import sweep


@pytest.mark.slow
@pytest.mark.parametrize("design", ["bounce"])
def test_the_page_has_what_a_fresh_sweep_finds(design: str) -> None:
    """Known findings, each with its reason there; a new one is told by failing here."""
    found = face.sweep(face.load_design(design), Wanted())
    assert not found.cut_off
    fresh = {
        (row["objective"], ", ".join(row["operations"]), row["state"], str(row["steps"]))
        for row in sweep.json([found])["rows"]
        if row["verdict"] == "violated"
    }
    written = set()
    for line in sweep_page.PAGE.read_text().splitlines():
        if not line.startswith("| ") or f"{design} " not in line:
            continue
        objective, operations, state, designs = line.strip("| ").split(" | ")
        for each in designs.split(", "):
            name, _, steps = each.partition(" ")
            if name == design:
                written.add((objective, operations.split("`")[1], state.strip("`"), steps))
    assert fresh == written
