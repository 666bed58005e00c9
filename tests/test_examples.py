"""Each file of examples/ shows what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import check, face
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_VIOLATED, Outcome

EXAMPLES = Path(__file__).parents[1] / "examples"
ASKED = "+".join(str(EXAMPLES / name) for name in ("written_out.py", "fsync_beside_truncate.py"))


def broken(patch: str, *scenarios: str) -> tuple[set[tuple[str, str]], int]:
    """What a patch breaks in these scenarios (none: all), and the exit status."""
    it = face.load_design(patch)
    below = face.base(it)
    assert below is not None
    before, after = (check.check(each, scenarios or None) for each in (below, it))
    found = face.difference(it, before, after)
    changed = {(each.objective, each.scenario) for each in found.changes if each.broke}
    return changed, found.exit_status


@pytest.mark.slow
def test_reclaim_that_looks_before_it_freezes_loses_data() -> None:
    patch = str(EXAMPLES / "reclaim_tests_dirty_first.py")
    assert broken(patch) == ({("I4", "put-dirty-reclaim")}, EXIT_VIOLATED)
    assert broken(f"bounce+{patch}", "put-dirty-reclaim") == (set(), EXIT_HOLDS)


def test_a_fault_that_does_not_wait_brings_the_hazard_back() -> None:
    changed, status = broken(str(EXAMPLES / "fault_does_not_wait.py"), "direct-io-fsync")
    assert ("O1", "direct-io-fsync") in changed
    assert status == EXIT_VIOLATED


@pytest.mark.slow
def test_truncate_is_caught_by_a_scenario_and_an_objective_of_ones_own() -> None:
    patch = str(EXAMPLES / "truncate_does_not_wait.py")
    where = ("direct-io-truncate", "longterm-truncate")
    assert broken(patch, *where) == (set(), EXIT_HOLDS)
    found = broken(f"{ASKED}+{patch}", *where, "fsync-beside-truncate")
    assert found == ({("written-out", "fsync-beside-truncate")}, EXIT_VIOLATED)


@pytest.mark.parametrize(
    "design", ["untracked", "bounce", pytest.param("block", marks=pytest.mark.slow)]
)
def test_the_scenario_and_the_objective_hold_as_the_kernel_is(design: str) -> None:
    it = face.load_design(f"{design}+{ASKED}")
    rows = check.check(it, ("fsync-beside-truncate", "put-dirty-reclaim"), ("written-out",)).rows
    assert [row.verdict.outcome for row in rows] == [Outcome.HOLDS] * 2


@pytest.mark.parametrize("design", ["refcount-bias", "mapcount-v4"])
def test_only_an_eviction_that_waits_keeps_the_blocks_of_an_unlinked_file(design: str) -> None:
    for patch, outcome in (
        ("", Outcome.VIOLATED),
        (f"+{EXAMPLES / 'unlink_waits.py'}", Outcome.HOLDS),
    ):
        it = face.load_design(design + patch)
        rows = check.check(it, ("dax-unlink",), ("O3", "I8")).rows
        assert [row.verdict.outcome for row in rows] == [outcome] * 2


def test_every_example_is_here() -> None:
    text = (
        Path(__file__).read_text() + (Path(__file__).parent / "docs/test_tutorial.py").read_text()
    )
    assert all(path.name in text for path in EXAMPLES.glob("*.py"))
