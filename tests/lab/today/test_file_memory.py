"""File memory of 7.2: O1 and O2 are open, and nothing else breaks in pairs of all there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import asked, check, design, face, worlds
from pinlab.lab.results import Wanted
from pinlab.lab.today.linux.types import PTE_PFN
from pinlab.lab.today.words import STATES, state
from pinlab.objectives.verdict import Outcome

FORGETS_TO_DIRTY = '''"""The end of a read does not dirty again what was cleaned meanwhile."""

from typing import cast

from pinlab.lab.language.kernel import *
from pinlab.lab.today.linux.bio import bio_release_page
from pinlab.lab.today.linux.device import DONE, RELEASED, dma_page, dma_state
from pinlab.lab.today.linux.types import Page


@kernel
def bio_check_pages_dirty() -> None:
    """Lets go in any case."""
    spin_until(READ_ONCE(dma_state) == DONE)
    bio_release_page(cast(Page, READ_ONCE(dma_page)))
    WRITE_ONCE(dma_state, RELEASED)
'''


def broken(it: design.Design, operations: str, words: str) -> dict[str, Outcome]:
    """The objectives by their outcome, where operations are played from a state."""
    (name,) = asked.combinations(operations, words, it.world)
    return {row.objective: row.verdict.outcome for row in check.check(it, (name,)).rows}


def test_writeback_of_a_pinned_folio_is_open_to_this_day() -> None:
    found = broken(design.load("mainline"), "dio-read@1, fsync", "dirty rw")
    assert {name for name, it in found.items() if it is Outcome.VIOLATED} == {"O1", "O2"}
    assert {it for name, it in found.items() if name not in ("O1", "O2")} == {Outcome.HOLDS}


def test_what_was_cleaned_while_the_device_stored_is_dirtied_again(tmp_path: Path) -> None:
    path = tmp_path / "forgets.py"
    path.write_text(FORGETS_TO_DIRTY)
    patched = design.load(str(path))
    assert patched.world is worlds.LINUX_7_2
    told = ("dio-read-verify@1, writeback", "dirty rw")
    assert broken(patched, *told)["I4"] is Outcome.VIOLATED
    assert broken(design.load("mainline"), *told)["I4"] is Outcome.HOLDS


@pytest.mark.slow
def test_no_pair_breaks_more_than_is_known() -> None:
    found = face.sweep(design.load("mainline"), Wanted())
    known = {
        "O1": ("dio-read@1", "fsync"),
        "O2": ("dio-read@1", "fsync"),
        "I3": ("dio-read@1", "flush-active"),
        "I4": ("dio-read-verify@1", "flush-active"),
        "I16": ("pin@1", "flush-active"),
    }
    assert {name: it.operations for name, it in found.smallest().items()} == known
    assert not found.cut_off and not found.failed


@pytest.mark.parametrize("words", STATES)
def test_a_state_counts_what_holds_the_folio(words: str) -> None:
    it = state(words)
    refs, maps = it.values["Folio._refcount"][0], it.values["Folio._mapcount"][0]
    assert it.name == words
    entries = sum(1 for entry in it.values["Vma.pte"] if entry & PTE_PFN)
    assert maps == entries - 1
    cached = not (it.has("absent") or it.has("anon"))
    assert refs == 2 * cached + entries
    assert it.values["Folio.PageBuddy"][0] == int(refs == 0)


@pytest.mark.parametrize(
    "words", ["rw", "clean rw", "clean dirty", "absent ro", "ro rw", "forked", "anon ro"]
)
def test_a_state_that_cannot_be_is_refused(words: str) -> None:
    with pytest.raises(UsageError):
        state(words)
