"""Every mutant of a design is found, and the same design without the mutation is not blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import check, face
from pinlab.lab.results import Row
from pinlab.objectives.verdict import Outcome

HERE = Path(__file__).parent

MUTANTS = [
    # mutant, the same without the mutation, scenario, objective
    ("D1", "mapcount-v1", "mapcount-v3", "direct-io-fsync-zap", "I13"),
    ("D1", "mapcount-v4", "mapcount-v3", "direct-io-fsync-zap", "I13"),
    ("D3", "d3_v3_walks_private.py", "mapcount-v3", "fork-private-fsync", "I13"),
    ("D4", "mapcount-v3", "d3_v3_walks_private.py", "fork-private-fsync", "I13b"),
    ("D5", "d5_bias_checks_early.py", "refcount-bias", "direct-io-fsync", "I13"),
    ("D7", "d7_july_checks_late.py", "october_checks_late.py", "direct-io-get-put", "I13"),
    ("D9", "d9_truncate_resets_mapcount.py", "mapcount-v3", "direct-io-truncate", "I10"),
    ("D10", "d10_pin_put.py", "refcount-bias", "fork-private-fsync", "I13b"),
    ("D10", "d10_get_unpin.py", "refcount-bias", "direct-io-fsync", "I10"),
    ("D11", "block", "bounce", "two-pages-fsync", "I12"),
    ("D12", "never-clean", "refcount-bias", "longterm-invalidate", "I4"),
    ("I11", "longterm_dax_allowed.py", "untracked", "longterm-dax", "I11"),
    ("D13", "d13_copy_before_mkclean.py", "bounce-2023", "store-fsync", "I4"),
]


def verdict(design: str, scenario: str, objective: str) -> Row:
    """The row of one objective, whatever found it."""
    name = str(HERE / design) if design.endswith(".py") else design
    result = check.check(face.load_design(name), (scenario,), (objective,))
    (row,) = [row for row in result.rows if row.objective == objective]
    return row


@pytest.mark.parametrize(
    ("mutant", "healthy", "scenario", "objective"),
    [pytest.param(*case, id=f"{name}-{case[0]}") for name, *case in MUTANTS],
)
def test_a_mutant_is_found_and_its_original_explored_without_it(
    mutant: str, healthy: str, scenario: str, objective: str
) -> None:
    assert verdict(mutant, scenario, objective).verdict.outcome is Outcome.VIOLATED
    assert verdict(healthy, scenario, objective).verdict.outcome is Outcome.HOLDS


def test_a_check_before_write_protecting_breaks_o1_whatever_the_policy() -> None:
    early = face.load_design(f"{HERE / 'd5_bias_checks_early.py'}+bounce")
    result = check.check(early, ("direct-io-fsync",), ("O1",))
    assert [row.verdict.outcome for row in result.rows] == [Outcome.VIOLATED]


def test_reading_mapcount_before_the_walk_is_no_cure_without_the_flag() -> None:
    """It cures the zap, and loses a pin that comes between the reading and the walk."""
    row = verdict("mapcount_v1_early.py", "direct-io-fsync-zap", "I13")
    assert row.verdict.outcome is Outcome.VIOLATED
