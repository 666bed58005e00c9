"""Collapsing a range into a huge page. mm/khugepaged.c, mm/mmu_gather.c, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_read,
    down_write,
    irqs_enabled,
    kernel,
    mutex_trylock,
    mutex_unlock,
    ptep_get_and_clear,
    smp_processor_id,
    spin_lock,
    spin_unlock,
    spin_until,
    test_bit,
    up_write,
)
from pinlab.lab.layout import CPUS
from pinlab.lab.today.linux.memory import copy_user_page
from pinlab.lab.today.linux.mm import folio_expected_ref_count, folio_put
from pinlab.lab.today.linux.page_alloc import folio_alloc
from pinlab.lab.today.linux.rmap import (
    anon_vma_lock,
    folio_add_new_anon_rmap,
    folio_remove_rmap_pte,
)
from pinlab.lab.today.linux.swap import free_swap_cache
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PMD_NONE,
    PMD_TABLE,
    Folio,
    Mm,
    Vma,
    folio_page,
    page_folio,
    pmd_mkleaf,
    pte_page,
    pte_present,
)
from pinlab.lab.today.linux.vmscan import folio_isolate_lru, folio_putback_lru


@kernel
def tlb_remove_table_sync_one() -> None:
    """mm/mmu_gather.c tlb_remove_table_sync_one(): an interrupt on every CPU, so that no walk which
    had begun without locks is under way when this returns."""
    for cpu in range(CPUS):
        if cpu != smp_processor_id():
            spin_until(irqs_enabled(cpu))


@kernel
def __collapse_huge_page_isolate(vma: Vma) -> Folio:
    """mm/khugepaged.c __collapse_huge_page_isolate(): the folio of the range, isolated and locked,
    if nobody has a reference to it but who maps it; NULL otherwise. The page table lock is held.
    Left out: ranges with holes, and those that are shared or swapped in part."""
    pte = READ_ONCE(vma.pte)
    if not pte_present(pte):
        return cast(Folio, NULL)
    folio = page_folio(pte_page(pte))
    assert test_bit(folio.PG_anon)
    if atomic_read(folio._mapcount) > 0:
        return cast(Folio, NULL)
    if not mutex_trylock(folio.PG_locked):
        return cast(Folio, NULL)
    expected = folio_expected_ref_count(folio)
    if atomic_read(folio._refcount) != expected or not folio_isolate_lru(folio):
        mutex_unlock(folio.PG_locked)
        return cast(Folio, NULL)
    return folio


@kernel
def __collapse_huge_page_copy(vma: Vma, folio: Folio, huge: Folio) -> None:
    """mm/khugepaged.c __collapse_huge_page_copy(), __collapse_huge_page_copy_succeeded(),
    release_pte_folio(): the content, then nothing maps the old folio."""
    copy_user_page(folio_page(huge), folio_page(folio))
    mutex_unlock(folio.PG_locked)
    folio_putback_lru(folio)
    spin_lock(vma.ptl)
    ptep_get_and_clear(vma.pte)
    folio_remove_rmap_pte(folio)
    spin_unlock(vma.ptl)
    free_swap_cache(folio)
    folio_put(folio)


@kernel
def collapse_huge_page(mm: Mm, vma: Vma) -> None:
    """mm/khugepaged.c collapse_huge_page(): one page becomes a "huge" one, which has one page here;
    what is tested and in which order is the same.

    Left out: the round before, with the mmap lock held for reading, as all is tested again; mmu
    notifiers.
    """
    huge = folio_alloc()
    if huge == NULL:
        return
    down_write(mm.mmap_lock)
    if READ_ONCE(vma.pmd) != PMD_TABLE:
        up_write(mm.mmap_lock)
        folio_put(huge)
        return
    down_write(anon_vma_lock)
    WRITE_ONCE(vma.pmd, PMD_NONE)  # pmdp_collapse_flush()
    flush_tlb_page()
    tlb_remove_table_sync_one()
    spin_lock(vma.ptl)
    folio = __collapse_huge_page_isolate(vma)
    spin_unlock(vma.ptl)
    if folio == NULL:
        WRITE_ONCE(vma.pmd, PMD_TABLE)
        up_write(anon_vma_lock)
        up_write(mm.mmap_lock)
        folio_put(huge)
        return
    up_write(anon_vma_lock)
    __collapse_huge_page_copy(vma, folio, huge)
    folio_add_new_anon_rmap(huge)
    WRITE_ONCE(vma.pmd, pmd_mkleaf(folio_page(huge)))
    up_write(mm.mmap_lock)
