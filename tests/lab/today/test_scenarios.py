"""The scenarios of 7.2, the table of its designs, and what it takes to close what is open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pinlab import objectives
from pinlab.lab import asked, check, design, face, worlds
from pinlab.lab.results import Comparison, Wanted
from pinlab.lab.scenarios.scenario import clash
from pinlab.lab.today.scenarios import SCENARIOS
from pinlab.objectives.verdict import Outcome

WHOLE = "bounce-pinned+ask-after-unmap+active-keeps-pinned"

UNDER_WRITEBACK = {
    (name, scenario)
    for name in ("O1", "O2")
    for scenario in (
        *("dma-active", "dma-fsync", "dma-invalidate", "dma-reclaim", "dma-writeback-verify"),
    )
} | {("O2", "pin-store-fsync")}
ACTIVE, INVALIDATED = ("I3", "dma-active"), ("I4", "dma-invalidate")

BROKEN: dict[str, set[tuple[str, str]]] = {
    "mainline": UNDER_WRITEBACK | {ACTIVE, INVALIDATED},
    "ask-after-unmap": UNDER_WRITEBACK | {ACTIVE},
    "active-keeps-pinned": UNDER_WRITEBACK | {INVALIDATED},
    "skip-pinned": {("I4", "pin-store-fsync")},
    "bounce-pinned": set(),
}

ASKS = '''"""{summary}"""

from pinlab.lab.language.kernel import *
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned
from pinlab.lab.today.linux.rmap import folio_mkclean
from pinlab.lab.today.linux.types import Folio
from pinlab.objectives.events import Event

BASE = "bounce-pinned"


@kernel
def folio_clear_dirty_for_io(folio: Folio) -> bool:
    """One of the two."""
    first = {first}
    if folio_mkclean(folio):
        folio_mark_dirty(folio)
    if {last}:
        return False
    if test_and_clear_bit(folio.PG_dirty):
        trace(Event.CLEAN_FOR_IO, folio)
    return True
'''


@pytest.fixture(scope="module")
def table() -> Comparison:
    return face.compare(world=worlds.LINUX_7_2, jobs=2)


def broken(found: Comparison, name: str) -> set[tuple[str, str]]:
    rows = [row for row in found.rows if row.design == name]
    assert {row.verdict.outcome for row in rows} <= {Outcome.HOLDS, Outcome.VIOLATED}
    return {(it.objective, it.scenario) for it in rows if it.verdict.outcome is Outcome.VIOLATED}


def test_the_table(table: Comparison) -> None:
    assert {row.design for row in table.rows} == set(BROKEN)
    assert {name: broken(table, name) for name in BROKEN} == BROKEN


def test_no_design_costs_a_pin_anything(table: Comparison) -> None:
    costs = {it.design: replace(it, design="") for it in table.costs}
    assert set(costs) == set(BROKEN) and len(set(map(str, costs.values()))) == 1
    pin = costs["mainline"].pin
    assert (pin["atomic_rmw"], pin["locks"], pin["page_table_walks"]) == (3, 0, 1)
    assert costs["mainline"].gup_fast and costs["mainline"].irq_unpin


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bounce-pinned", WHOLE])
def test_with_copies_nothing_breaks_in_pairs_of_all_there_is(name: str) -> None:
    it = replace(design.load(name), base=None)  # all of it, and not what is new in it
    found = face.sweep(it, Wanted())
    assert not found.broken and not found.cut_off and not found.failed


@pytest.mark.slow
def test_without_copies_fsync_leaves_behind_what_a_cpu_stored() -> None:
    it = replace(design.load("skip-pinned"), base=None)
    found = face.sweep(it, Wanted())
    assert {name: it.operations for name, it in found.smallest().items()} == {
        "I4": ("pin@1", "store-verify@1")
    }
    assert not found.cut_off and not found.failed


def asking(path: Path, first: str, last: str) -> design.Design:
    file = path / "asks.py"
    file.write_text(ASKS.format(summary="Asks otherwise.", first=first, last=last))
    return design.load(str(file))


def test_a_question_before_the_write_protection_is_as_good_as_none(tmp_path: Path) -> None:
    it = asking(tmp_path, "folio_maybe_dma_pinned(folio)", "first")
    rows = check.check(it).rows
    assert {
        (row.objective, row.scenario) for row in rows if row.verdict.outcome is Outcome.VIOLATED
    } == BROKEN["mainline"]


@pytest.mark.slow
def test_the_question_needs_its_barrier_behind_an_unmap_of_others(tmp_path: Path) -> None:
    (name,) = asked.combinations("dio-read@1, fsync, zap@1", "dirty rw", worlds.LINUX_7_2)
    without = asking(tmp_path, "False", "folio_maybe_dma_pinned(folio)")
    for it, outcome in ((without, Outcome.VIOLATED), (design.load("bounce-pinned"), Outcome.HOLDS)):
        (row,) = check.check(it, (name,), ("O1",), memory_model="arm64").rows
        assert row.verdict.outcome is outcome


def test_scenarios_stand_beside_each_other() -> None:
    known = list(SCENARIOS.values())
    for number, it in enumerate(known):
        it.fit(objectives.load())
        assert not clash(it, known[:number])
