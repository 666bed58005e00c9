"""Reverse mappings. mm/rmap.c, include/linux/rmap.h, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_dec_return,
    atomic_inc,
    atomic_inc_return,
    atomic_set,
    clear_bit,
    down_read,
    kernel,
    ptep_get_and_clear,
    rwsem,
    set_bit,
    smp_mb,
    smp_mb__after_atomic,
    spin_lock,
    spin_unlock,
    static_branch,
    test_bit,
    trace,
    u6,
    up_read,
)
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.mm import (
    folio_mapped,
    folio_maybe_dma_pinned,
    folio_needs_cow_for_dma,
    folio_put,
)
from pinlab.lab.today.linux.swap import swap_dup_entry, swap_put_entry
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PMD_TABLE,
    AddressSpace,
    Folio,
    Mm,
    Vma,
    folio_page,
    pte_dirty,
    pte_mkclean,
    pte_pfn,
    pte_write,
    pte_wrprotect,
    swp_pte,
)
from pinlab.objectives.events import Event

anon_vma_lock = rwsem()
"""That of the root anon_vma, which parent and child have in common."""


@kernel
def folio_add_file_rmap_pte(folio: Folio) -> None:
    """mm/rmap.c folio_add_file_rmap_ptes(), order 0: atomic_inc_and_test(), which returns a
    value and so is a full barrier. Left out: statistics."""
    atomic_inc_return(folio._mapcount)


@kernel
def folio_add_new_anon_rmap(folio: Folio) -> None:
    """mm/rmap.c folio_add_new_anon_rmap(), mm/swap.c folio_add_lru_vma(): RMAP_EXCLUSIVE, as nobody
    else knows the folio. Left out: the LRU's per-CPU batches, as above; statistics."""
    set_bit(folio.PG_anon)
    atomic_set(folio._mapcount, 0)
    page = folio_page(folio)
    set_bit(page.PageAnonExclusive)
    set_bit(folio.PG_lru)


@kernel
def folio_add_anon_rmap_pte(folio: Folio, exclusive: bool) -> None:
    """mm/rmap.c folio_add_anon_rmap_ptes(), folio_add_new_anon_rmap(): one more entry of a folio
    from the swap cache, of which there may be others."""
    set_bit(folio.PG_anon)
    atomic_inc_return(folio._mapcount)
    if exclusive:
        page = folio_page(folio)
        set_bit(page.PageAnonExclusive)


@kernel
def folio_try_dup_anon_rmap_pte(mm: Mm, folio: Folio) -> bool:
    """include/linux/rmap.h __folio_try_dup_anon_rmap(), fork: a page that is exclusive and may be
    pinned is not shared. False: -EBUSY."""
    page = folio_page(folio)
    if folio_needs_cow_for_dma(mm, folio):
        if test_bit(page.PageAnonExclusive):
            return False
    if test_bit(page.PageAnonExclusive):
        clear_bit(page.PageAnonExclusive)
    atomic_inc(folio._mapcount)
    return True


@kernel
def folio_remove_rmap_pte(folio: Folio) -> None:
    """mm/rmap.c folio_remove_rmap_ptes(), order 0: atomic_add_negative(), which returns a value and
    so is a full barrier. Left out: statistics, the deferred split list."""
    atomic_dec_return(folio._mapcount)


@kernel
def folio_try_share_anon_rmap_pte(folio: Folio) -> bool:
    """include/linux/rmap.h __folio_try_share_anon_rmap(): the page is exclusive no more, unless it
    may be pinned; the entry has been cleared before. False: -EBUSY."""
    smp_mb()
    if folio_maybe_dma_pinned(folio):
        return False
    page = folio_page(folio)
    clear_bit(page.PageAnonExclusive)
    smp_mb__after_atomic()
    return True


@kernel
def try_to_unmap_anon(vma: Vma, folio: Folio, pte: u6) -> bool:
    """mm/rmap.c try_to_unmap_one(), the part for anonymous folios in the swap cache: the cleared
    entry becomes that of the slot. False: it is as it was (walk_abort)."""
    assert test_bit(folio.PG_swapcache)
    page = folio_page(folio)
    exclusive = test_bit(page.PageAnonExclusive)
    swap_dup_entry()
    if exclusive:
        if not folio_try_share_anon_rmap_pte(folio):
            swap_put_entry()
            WRITE_ONCE(vma.pte, pte)
            return False
    WRITE_ONCE(vma.pte, swp_pte(exclusive))
    return True


@kernel
def try_to_unmap_one(vma: Vma, folio: Folio) -> bool:
    """mm/rmap.c try_to_unmap_one(): one entry, under its lock. False: the walk ends.

    Left out: TTU_BATCH_FLUSH, by which a flush may come later, but before the folio is written or
    freed; batches of entries; leaves, which this folio is not mapped by; a walk that passes by an
    entry which somebody has just cleared, as the folio stays mapped then and is kept.
    """
    spin_lock(vma.ptl)
    pte: u6 = 0
    if static_branch(vma.VM_FILE):
        pte = READ_ONCE(vma.pte)
    elif READ_ONCE(vma.pmd) == PMD_TABLE:
        pte = READ_ONCE(vma.pte)
    if pte_pfn(pte) == cast(int, folio):
        ptep_get_and_clear(vma.pte)
        flush_tlb_page()
        if pte_dirty(pte):
            folio_mark_dirty(folio)
        if test_bit(folio.PG_anon):
            if not try_to_unmap_anon(vma, folio, pte):
                spin_unlock(vma.ptl)
                return False
        folio_remove_rmap_pte(folio)
        folio_put(folio)
    spin_unlock(vma.ptl)
    return True


@kernel
def try_to_unmap(folio: Folio) -> None:
    """mm/rmap.c try_to_unmap(): every entry of a folio. Folio locked. Left out: lazily freed ones
    (MADV_FREE)."""
    if test_bit(folio.PG_anon):
        go_on = True
        down_read(anon_vma_lock)
        for vma in Vma.all():
            if static_branch(vma.present) and go_on:
                go_on = try_to_unmap_one(vma, folio)
        up_read(anon_vma_lock)
        return
    mapping: AddressSpace = READ_ONCE(folio.mapping)
    if mapping == NULL:
        return
    down_read(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            try_to_unmap_one(vma, folio)
    up_read(mapping.i_mmap_rwsem)


@kernel
def page_vma_mkclean_one(vma: Vma, folio: Folio) -> bool:
    """mm/rmap.c page_vma_mkclean_one(): one entry, under its lock. Left out: leaves of the pmd."""
    cleaned = False
    spin_lock(vma.ptl)
    pte = READ_ONCE(vma.pte)
    if pte_pfn(pte) == cast(int, folio):
        if pte_dirty(pte) or pte_write(pte):
            ptep_get_and_clear(vma.pte)
            flush_tlb_page()
            WRITE_ONCE(vma.pte, pte_mkclean(pte_wrprotect(pte)))
            cleaned = True
    spin_unlock(vma.ptl)
    return cleaned


@kernel
def folio_mkclean(folio: Folio) -> bool:
    """mm/rmap.c folio_mkclean(): write-protects every entry of a shared mapping; whether one was
    writable or dirty. Folio locked."""
    if not folio_mapped(folio):
        trace(Event.MKCLEAN, folio)
        return False
    mapping: AddressSpace = READ_ONCE(folio.mapping)
    if mapping == NULL:
        return False
    cleaned = False
    down_read(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_SHARED):
            if page_vma_mkclean_one(vma, folio):
                cleaned = True
    up_read(mapping.i_mmap_rwsem)
    trace(Event.MKCLEAN, folio)
    return cleaned
