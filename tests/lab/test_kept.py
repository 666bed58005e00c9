"""What was found before is told again, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import check, design, face, kept, ledger
from pinlab.lab import patch as patches
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import Wanted
from pinlab.lab.store import Store


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Store(tmp_path / "ledger", "explored")
    monkeypatch.setattr(ledger, "store", lambda: there)


SKIP = "skip"


def test_what_nobody_asked_is_not_known() -> None:
    known = face.known(design.load(SKIP))
    assert known.swept is None and not known.models


def test_rows_are_told_as_they_were_found() -> None:
    it = design.load(SKIP)
    found = check.check(it)
    assert kept.rows(it, "sc") == found.rows
    assert kept.rows(it, "arm64") == () and kept.rows(design.load("block"), "sc") == ()


def test_what_a_comparison_found_is_known_of_each(tmp_path: Path) -> None:
    """Where it is kept is said by another process, which explored."""
    file = tmp_path / "mine.py"
    file.write_text(patches.patch("page_mkclean"))
    found = face.compare((SKIP, str(file)), jobs=2)
    for name in (SKIP, str(file)):
        it = design.load(name)
        assert kept.rows(it, "sc") == tuple(row for row in found.rows if row.design == it.name)
        assert kept.rows(it, "sc")


def test_an_answer_to_less_is_not_kept() -> None:
    it = design.load(SKIP)
    check.check(it, objectives=("O1",))
    check.check(it, limits=Limits(max_states=50))
    face.sweep(it, Wanted(size=1))
    assert kept.rows(it, "sc") == () and kept.swept(it) is None


def test_a_sweep_is_told_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole one takes a minute; one that is smaller stands for it."""
    monkeypatch.setattr(face, "Wanted", lambda: Wanted(size=1))
    it = design.load("untracked")
    found = face.sweep(it, Wanted(size=1))
    assert kept.swept(it) == found and found.explored > 100


def test_a_hook_is_beside_what_it_replaces() -> None:
    (first, *_) = face.known(design.load("bounce")).hooks
    assert first.name == "writeback_pinned"
    assert any("def writeback_pinned" in line for _, line in first.lines)
    assert any("def writeback_pinned" in line for _, line in first.before)
    assert first.lines != first.before


def test_what_a_patch_changes_comes_before_what_its_base_replaces(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = patches.patch("find_get_page")
    file.write_text(text.replace("put_page(page)", "put_page(page)  # mine"))
    it = design.load(f"bounce+{file}")
    first, *others = face.known(it).hooks
    assert first.name == "find_get_page" and any("# mine" in line for _, line in first.lines)
    assert first.before and not any("# mine" in line for _, line in first.before)
    assert {hook.name for hook in others} >= set(design.load("bounce").own)
    assert (
        face.described(it).kind == "patch"
        and face.described(design.load("bounce")).kind == "policy"
    )


def test_of_a_design_with_scenarios_of_its_own_nothing_is_kept() -> None:
    """They may change, and the key says nothing of them."""
    example = Path(__file__).parents[2] / "examples" / "fsync_beside_truncate.py"
    it = design.load(str(example))
    assert it.scenarios
    check.check(it)
    assert kept.rows(it, "sc") == ()
