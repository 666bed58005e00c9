"""What 7.2 does for pins of anonymous memory, piece by piece: without one of them I5 breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import design
from tests.lab.today.test_taking_folios import violated

HEAD = "from pinlab.lab.language.kernel import *\nfrom pinlab.lab.today.linux.types import *\n"

NO_SECOND_READ_OF_THE_SEQUENCE = """
from pinlab.lab.today.linux.gup import FOLL_PIN, gup_fast_pte_range

@kernel
def gup_fast(mm: Mm, vma: Vma, flags: u4) -> Page:
    if flags & FOLL_PIN:
        if smp_load_acquire(mm.write_protect_seq) & 1:
            return cast(Page, NULL)
    local_irq_disable()
    page = gup_fast_pte_range(vma, flags)
    local_irq_enable()
    return page
"""

NO_SECOND_LOOK_AT_THE_ENTRY = """
from pinlab.lab.today.linux.gup import gup_fast_pmd_unchanged, gup_put_folio, try_grab_folio_fast

@kernel
def gup_fast_pte_range(vma: Vma, flags: u4) -> Page:
    pmd = READ_ONCE(vma.pmd)
    pte = READ_ONCE(vma.pte)
    if pmd != PMD_TABLE or not pte_present(pte) or not pte_write(pte):
        return cast(Page, NULL)
    folio = try_grab_folio_fast(pte_page(pte), flags)
    if folio == NULL:
        return cast(Page, NULL)
    if not gup_fast_pmd_unchanged(vma, pmd):
        gup_put_folio(folio, flags)
        return cast(Page, NULL)
    return pte_page(pte)
"""

NO_FLAG_OF_PINS = """
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned

@kernel
def folio_needs_cow_for_dma(mm: Mm, folio: Folio) -> bool:
    return test_bit(mm.MMF_HAS_PINNED) and False
"""

SHARES_WHAT_IS_PINNED = """
@kernel
def folio_try_share_anon_rmap_pte(folio: Folio) -> bool:
    page = folio_page(folio)
    clear_bit(page.PageAnonExclusive)
    return True
"""

ASKS_NOT_BEFORE_THE_MOVE = """
@kernel
def moved_is_pinned(folio: Folio) -> bool:
    return False
"""

GUARDS = {
    "fork's sequence count, read again": (
        NO_SECOND_READ_OF_THE_SEQUENCE,
        "pin@private, fork, store@private",
    ),
    "GUP-fast's second look at the entry": (
        NO_SECOND_LOOK_AT_THE_ENTRY,
        "pin@private, migrate",
    ),
    "fork's question for pins": (NO_FLAG_OF_PINS, "pin@private, fork, store@private"),
    "UFFDIO_MOVE's second question": (ASKS_NOT_BEFORE_THE_MOVE, "pin@private, move@private"),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_is_needed(guard: str, tmp_path: Path) -> None:
    without, operations = GUARDS[guard]
    path = tmp_path / "without.py"
    path.write_text(f'"""Without {guard}."""\n\nfrom typing import cast\n\n{HEAD}{without}')
    assert violated(design.load(str(path)), operations, "anon") == {"I5"}
    assert not violated(design.load("mainline"), operations, "anon")


@pytest.mark.slow
def test_the_question_before_sharing_is_needed_for_fork_after_swap(tmp_path: Path) -> None:
    """The swap entry's exclusive bit repairs everything, until fork takes it away."""
    path = tmp_path / "shares.py"
    path.write_text(f'"""Swaps out what is pinned."""\n\n{HEAD}{SHARES_WHAT_IS_PINNED}')
    told = ("pin@private, reclaim, fork, store@private", "anon")
    assert violated(design.load(str(path)), *told) == {"I5"}
    assert not violated(design.load("mainline"), *told)
