"""What memory models say of designs of the thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import build, check, face
from pinlab.lab.explore import choose
from pinlab.lab.weak import NAMES
from pinlab.objectives.verdict import Outcome

UNORDERED_GRAB = '''"""refcount-bias with a grab that orders nothing."""

from pinlab.lab.designs.refcount_bias import GUP_PIN_COUNTING_BIAS
from pinlab.lab.language.kernel import atomic_add, atomic_read, kernel
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def grab_page_fast(page: Page) -> bool:
    """As atomic_add_unless(), but for the order."""
    if atomic_read(page._refcount) == 0:
        return False
    atomic_add(GUP_PIN_COUNTING_BIAS, page._refcount)
    return True
'''


def outcomes(name: str, scenario: str, objective: str) -> dict[str, Outcome]:
    """The verdict under each model."""
    design = face.load_design(name)
    found = {}
    for model in NAMES:
        result = check.check(design, (scenario,), (objective,), memory_model=model)
        [row] = result.rows
        assert row.memory_model == model
        found[model] = row.verdict.outcome
    return found


def test_the_increment_of_v1_may_be_seen_too_late() -> None:
    """GUP-fast raises the count and looks at the entry again: a store, then a load, and on arm64
    an atomic without a result has nothing between them."""
    assert outcomes("mapcount-v1", "direct-io-fsync", "I13") == {
        "sc": Outcome.HOLDS,
        "x86-tso": Outcome.HOLDS,
        "arm64": Outcome.VIOLATED,
    }


@pytest.mark.slow
def test_one_word_of_flags_needs_no_barrier() -> None:
    """mapcount-v3 as posted: PagePin and PG_writeback are bits of page->flags, and what is done to
    one word is seen in its order, whatever G5 is."""
    found = outcomes("mapcount-v3", "direct-io-fsync", "I13")
    assert set(found.values()) == {Outcome.HOLDS}


@pytest.mark.slow
def test_an_entry_is_cleared_before_the_count_is_read() -> None:
    """A model that clears entries by a plain store would cry wolf here."""
    found = outcomes("refcount-bias", "dax-truncate", "O3")
    assert set(found.values()) == {Outcome.HOLDS}


@pytest.mark.slow
def test_a_grab_that_orders_nothing_breaks_on_arm64_alone(tmp_path: Path) -> None:
    path = tmp_path / "unordered.py"
    path.write_text(UNORDERED_GRAB)
    assert outcomes(str(path), "direct-io-fsync", "I13") == {
        "sc": Outcome.HOLDS,
        "x86-tso": Outcome.HOLDS,
        "arm64": Outcome.VIOLATED,
    }


def test_the_trace_says_which_store_was_missed() -> None:
    design = face.load_design("mapcount-v1")
    result = check.check(design, ("direct-io-fsync",), ("I13",), memory_model="arm64")
    trace = result.traces["I13", "direct-io-fsync"]()
    assert trace.outcome is Outcome.VIOLATED
    assert trace.memory_model == "arm64"
    notes = [note for step in trace.steps for note in step.notes]
    assert "into read's buffer: Page1._mapcount" in notes
    missed = "Page1._mapcount is 0 here, not 1: read's store is still in its buffer"
    assert missed in notes
    seen = [step for step in trace.steps if missed in step.notes]
    assert all(("Page1._mapcount", "0") in step.reads for step in seen)
    hidden = [name for step in trace.steps for name, *_ in step.changes if ":" in name]
    assert not hidden


def test_a_counterexample_replays_under_its_model_alone() -> None:
    design = face.load_design("mapcount-v1")
    result = check.check(design, ("direct-io-fsync",), ("I13",), memory_model="arm64")
    trace = result.traces["I13", "direct-io-fsync"]()
    again = check.trace(design, "direct-io-fsync", "I13", trace.moves, "arm64")
    assert again.steps == trace.steps
    with pytest.raises(UsageError, match="not possible any more"):
        check.trace(design, "direct-io-fsync", "I13", trace.moves)


@pytest.mark.parametrize("model", [pytest.param("x86-tso", marks=pytest.mark.slow), "arm64"])
def test_both_explorers_agree_on_a_design(model: str) -> None:
    design = face.load_design("refcount-bias")
    keys = face.probe(design).known
    scenario = build.known(design)["munmap-gup-fast"]
    it = build.system(design, scenario, keys, memory_model=model)
    native, read = (choose.explore(it, engine=engine) for engine in ("native", "interpreter"))
    assert (native.states, native.transitions, native.hits) == (
        read.states,
        read.transitions,
        read.hits,
    )
    assert native.covered == read.covered


def test_the_bounds_say_what_a_model_does_not_show() -> None:
    design = face.load_design("refcount-bias")
    [row] = check.check(design, ("dax-truncate",), ("O3",), memory_model="arm64").rows
    assert "load buffering" in row.bounds
    assert "sequential consistency" not in row.bounds


def test_lines_are_covered_as_under_sc() -> None:
    design = face.load_design("refcount-bias")
    asked = ("dax-truncate",)
    sc, weak = (
        check.check(design, asked, coverage=True, memory_model=model) for model in ("sc", "arm64")
    )
    assert sc.uncovered == weak.uncovered
