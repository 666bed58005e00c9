"""UFFDIO_MOVE. mm/userfaultfd.c, 7.2."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    down_read,
    kernel,
    mutex_trylock,
    mutex_unlock,
    ptep_get_and_clear,
    spin_lock,
    spin_unlock,
    test_bit,
    u6,
    up_read,
)
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PMD_TABLE,
    PTE_WRITE,
    Folio,
    Mm,
    Vma,
    folio_page,
    page_folio,
    pte_none,
    pte_page,
    pte_present,
)


@kernel
def moved_is_pinned(folio: Folio) -> bool:
    """mm/userfaultfd.c move_present_ptes(): the second question, after the entry was cleared."""
    return folio_maybe_dma_pinned(folio)


@kernel
def move_present_ptes(to: Vma, vma: Vma, pte: u6, folio: Folio) -> None:
    """mm/userfaultfd.c move_present_ptes(), is_pte_pages_stable(): one page from an address to
    another of the same process, if it is exclusive and not pinned. Folio locked. Left out: batches;
    the anon_vma and the index, which rmap walks find it by, as they look everywhere here."""
    spin_lock(to.ptl)
    spin_lock(vma.ptl)
    page = folio_page(folio)
    good = READ_ONCE(vma.pte) == pte and pte_none(READ_ONCE(to.pte))
    if good:
        good = not folio_maybe_dma_pinned(folio)
    if good and test_bit(page.PageAnonExclusive):
        ptep_get_and_clear(vma.pte)
        if moved_is_pinned(folio):
            WRITE_ONCE(vma.pte, pte)
        else:
            WRITE_ONCE(to.pte, pte | PTE_WRITE)
            flush_tlb_page()
    spin_unlock(vma.ptl)
    spin_unlock(to.ptl)


@kernel
def move_pages_ptes(mm: Mm, to: Vma, vma: Vma) -> None:
    """mm/userfaultfd.c move_pages_ptes(): UFFDIO_MOVE of one page. A folio that is locked is left
    alone, where the kernel waits for it and begins again. Left out: swap entries, the zero page."""
    down_read(mm.mmap_lock)
    if READ_ONCE(vma.pmd) == PMD_TABLE:
        pte = READ_ONCE(vma.pte)
        if pte_present(pte):
            folio = page_folio(pte_page(pte))
            if mutex_trylock(folio.PG_locked):
                move_present_ptes(to, vma, pte, folio)
                mutex_unlock(folio.PG_locked)
    up_read(mm.mmap_lock)
