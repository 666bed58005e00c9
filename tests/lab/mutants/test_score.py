"""The score of one function: who notices what, where a hook's mutant is hunted, what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import design, face, ledger
from pinlab.lab import patch as patches
from pinlab.lab.mutants import equivalent
from pinlab.lab.mutants import score as scores
from pinlab.lab.mutants.hunt import Hunt
from pinlab.lab.mutants.results import EQUIVALENT, KILLED, SURVIVED, UNKNOWN, Score, Scored
from pinlab.lab.store import Store
from pinlab.report import mutants as report

FUNCTION = "unmap_mapping_pages_dax"

DESIGNS = ("untracked", "mmu-notifier")
"""Of all that there are, as it takes long."""

PATCH = """
from pinlab.lab.language.kernel import clear_bit, kernel, trace
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event

BASE = "untracked"


@kernel
def do_invalidatepage(mapping: AddressSpace, page: Page) -> None:
    clear_bit(page.PagePrivate)
    trace(Event.RELEASE_BUFFERS, page)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Score, Score, Score]:
    """The score before anything is known, hunted, and as it is kept."""
    kept = Store(tmp_path_factory.mktemp("ledger"), "explored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "store", lambda: kept)
        patch.setattr(equivalent, "reasons", lambda world: {})
        patch.setattr(design, "names", lambda world: DESIGNS)
        it = design.load("untracked")
        before = face.mutate(it, [FUNCTION], hunting=False, jobs=2)
        hunted = face.mutate(it, [FUNCTION], jobs=2)
        return before, hunted, face.mutate(it, [FUNCTION], hunting=False, jobs=2)


@pytest.mark.slow
def test_nothing_is_known_before_it_was_hunted(found: tuple[Score, Score, Score]) -> None:
    assert {it.status for it in found[0].mutants} == {UNKNOWN}
    assert found[0].share is None


@pytest.mark.slow
def test_who_notices_that_a_flush_is_left_out(found: tuple[Score, Score, Score]) -> None:
    (flush,) = (it for it in found[1].mutants if (it.kind, it.what[:5]) == ("dropped", "flush"))
    assert flush.status == KILLED and flush.by is not None
    assert flush.by.operations == ("truncate", "store-dax@1")
    assert flush.by.what == "a TLB has an entry of page 1 that is gone"


@pytest.mark.slow
def test_who_notices_that_a_lock_is_not_taken(found: tuple[Score, Score, Score]) -> None:
    """Who unmaps takes the mapping off i_mmap under the lock, and frees its page table then."""
    locks = (it for it in found[1].mutants if it.kind == "unlocked")
    (lock,) = (it for it in locks if "i_mmap_rwsem" in it.what)
    assert lock.by is not None and lock.by.operations == ("truncate", "munmap@1")
    assert lock.by.what == "bug: VM_BUG_ON(READ_ONCE(vma.table_freed))"


@pytest.mark.slow
def test_what_only_a_design_notices_is_hunted_there(found: tuple[Score, Score, Score]) -> None:
    (hook,) = (
        it for it in found[1].mutants if it.what == "mmu_notifier_invalidate_range_end(page)"
    )
    assert hook.by is not None and hook.by.design == "mmu-notifier"


@pytest.mark.slow
def test_what_only_a_design_comes_to_is_hunted_in_every_design(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A device whose page was taken away asks for it again: with mmu-notifier alone."""
    monkeypatch.setattr(design, "names", lambda world: DESIGNS)
    it = design.load("untracked")
    wanted = scores.chosen(it, ["one_shot_device"])
    (again,) = (each for each in wanted if each.what == "WRITE_ONCE(dma_page, page)")
    (found,) = scores.score(it, [again], lambda of: face.probe(of).known, jobs=2).mutants
    assert found.by is not None and found.by.design == "mmu-notifier"


def test_a_design_that_leaves_the_line_out_says_nothing_of_it() -> None:
    """To be compiled to the same there makes it no less a mutant here; not to be compiled does."""
    here = Hunt(None, executing=3, explored=3, cut_off=0, changed=1)
    assert scores._joined(here, Hunt(None, 0, 0, 0, 0, is_same=True)) == here
    refused = Hunt(None, 0, 0, 0, 0, refused="page is read here before it is set")
    assert scores._joined(here, refused) == refused


@pytest.mark.slow
def test_a_survivor_says_how_far_it_got(found: tuple[Score, Score, Score]) -> None:
    left = [it for it in found[1].mutants if it.status == SURVIVED]
    assert left and all("combinations execute it" in it.why for it in left)


@pytest.mark.slow
def test_what_was_hunted_is_kept(found: tuple[Score, Score, Score]) -> None:
    assert found[2].mutants == found[1].mutants
    assert report.json(found[2])["killed"] == found[1].counts[KILLED]


def test_of_a_patch_its_own_functions_are_meant(tmp_path: Path) -> None:
    file = tmp_path / "patch.py"
    file.write_text(PATCH)
    score = face.mutate(design.load(str(file)), jobs=2)
    assert [(it.function, it.kind) for it in score.mutants] == [("do_invalidatepage", "dropped")]


@pytest.mark.slow
def test_reasons_are_of_the_model_and_of_nobody_elses_function(tmp_path: Path) -> None:
    """A patch that has the same statement has it in another function."""
    file = tmp_path / "patch.py"
    file.write_text(patches.patch("dax_truncate"))
    found = face.mutate(design.load(str(file)), jobs=2)
    argued = equivalent.reasons("4.20")
    alike = [it for it in found.mutants if (it.function, it.kind, it.what) in argued]
    assert alike and all(it.status != EQUIVALENT for it in alike)


def test_of_a_patch_what_is_known_of_the_model_is_told_beside(tmp_path: Path) -> None:
    """It is no verdict: the function may differ elsewhere."""
    file = tmp_path / "same.py"
    file.write_text(patches.patch("page_mkclean"))
    it = design.load(str(file))

    def told(kind: str, what: str) -> Scored:
        found = Scored("page_mkclean", "rmap.py", 1, kind, what, SURVIVED, None, "far")
        return scores._beside_the_model(found, it)

    hook = told("dropped", "mkclean_begin(page)")
    assert hook.status == SURVIVED and "replaces the hook mkclean_begin() may notice" in hook.why
    assert told("dropped", "flush_tlb_page()").why == "far"
    ((function, kind, what), why) = next(iter(equivalent.reasons("4.20").items()))
    argued = scores._beside_the_model(
        Scored(function, "", 1, kind, what, SURVIVED, None, "far"), it
    )
    assert argued.why == f"far; of the model it is argued: {why}"


def test_a_function_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no mutants of 'page_mkclaen': .*page_mkclean"):
        face.mutate(design.load("untracked"), ["page_mkclaen"])
