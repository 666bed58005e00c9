"""Migration of one anonymous folio. mm/migrate.c, mm/rmap.c, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_read,
    down_read,
    kernel,
    mutex_lock,
    mutex_trylock,
    mutex_unlock,
    ptep_get_and_clear,
    set_bit,
    spin_lock,
    spin_unlock,
    static_branch,
    test_and_clear_bit,
    test_bit,
    u6,
    up_read,
)
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.memory import copy_user_page
from pinlab.lab.today.linux.mm import (
    folio_expected_ref_count,
    folio_get,
    folio_mapped,
    folio_put,
)
from pinlab.lab.today.linux.page_alloc import folio_alloc
from pinlab.lab.today.linux.rmap import (
    anon_vma_lock,
    folio_add_anon_rmap_pte,
    folio_remove_rmap_pte,
    folio_try_share_anon_rmap_pte,
)
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PMD_TABLE,
    PTE_DIRTY,
    PTE_PFN,
    Folio,
    Vma,
    folio_page,
    mk_migration_pte,
    mk_pte,
    pte_dirty,
    pte_migration,
    pte_pfn,
    pte_swp_exclusive,
)
from pinlab.lab.today.linux.vmscan import folio_putback_lru, isolate_lru_folio


@kernel
def try_to_migrate_one(vma: Vma, folio: Folio) -> bool:
    """mm/rmap.c try_to_migrate_one(): the entry becomes one of a page being migrated, unless the
    page is exclusive and may be pinned. False: the walk ends. Left out: what try_to_unmap_one()
    leaves out."""
    spin_lock(vma.ptl)
    pte: u6 = 0
    if READ_ONCE(vma.pmd) == PMD_TABLE:
        pte = READ_ONCE(vma.pte)
    if pte_pfn(pte) == cast(int, folio):
        page = folio_page(folio)
        exclusive = test_bit(page.PageAnonExclusive)
        ptep_get_and_clear(vma.pte)
        flush_tlb_page()
        if pte_dirty(pte):
            folio_mark_dirty(folio)
        if exclusive:
            if not folio_try_share_anon_rmap_pte(folio):
                WRITE_ONCE(vma.pte, pte)
                spin_unlock(vma.ptl)
                return False
        WRITE_ONCE(vma.pte, mk_migration_pte(pte, exclusive))
        folio_remove_rmap_pte(folio)
        folio_put(folio)
    spin_unlock(vma.ptl)
    return True


@kernel
def try_to_migrate(folio: Folio) -> None:
    """mm/rmap.c try_to_migrate(). Folio locked."""
    go_on = True
    down_read(anon_vma_lock)
    for vma in Vma.all():
        if static_branch(vma.present) and go_on:
            go_on = try_to_migrate_one(vma, folio)
    up_read(anon_vma_lock)


@kernel
def remove_migration_pte(vma: Vma, old: Folio, new: Folio) -> None:
    """mm/migrate.c remove_migration_pte(): the entry points to a page again. Left out: that a clean
    entry stays clean where the old one was writable, as the folio is dirty all the same."""
    spin_lock(vma.ptl)
    pte = READ_ONCE(vma.pte)
    if pte_migration(pte) and pte & PTE_PFN == cast(int, old):
        folio_get(new)
        folio_add_anon_rmap_pte(new, pte_swp_exclusive(pte))
        WRITE_ONCE(vma.pte, mk_pte(folio_page(new), pte & PTE_DIRTY != 0))
    spin_unlock(vma.ptl)


@kernel
def remove_migration_ptes(old: Folio, new: Folio) -> None:
    """mm/migrate.c remove_migration_ptes(). Both folios locked."""
    down_read(anon_vma_lock)
    for vma in Vma.all():
        if static_branch(vma.present):
            remove_migration_pte(vma, old, new)
    up_read(anon_vma_lock)


@kernel
def move_to_new_folio(new: Folio, folio: Folio) -> bool:
    """mm/migrate.c __migrate_folio(), __folio_migrate_mapping(), folio_migrate_flags(): copies if
    nobody has a reference but who migrates. False: -EAGAIN. A folio of order 0 that is in no cache
    is not frozen: nobody can find it any more who has no reference."""
    if atomic_read(folio._refcount) != folio_expected_ref_count(folio) + 1:
        return False
    copy_user_page(folio_page(new), folio_page(folio))
    set_bit(new.PG_anon)
    if test_and_clear_bit(folio.PG_dirty):
        set_bit(new.PG_dirty)
    return True


@kernel
def migrate_folio(folio: Folio) -> None:
    """mm/migrate.c migrate_pages_batch(), migrate_folio_unmap(), migrate_folio_move(), for one
    isolated anonymous folio, without waiting. Left out: folios of the swap cache, which are left
    alone; other attempts."""
    if not isolate_lru_folio(folio):
        return
    new = folio_alloc()
    if new == NULL:
        folio_putback_lru(folio)
        return
    moved = False
    if mutex_trylock(folio.PG_locked):
        mutex_lock(new.PG_locked)
        if test_bit(folio.PG_anon) and not test_bit(folio.PG_swapcache):
            if folio_mapped(folio):
                try_to_migrate(folio)
            if not folio_mapped(folio):
                moved = move_to_new_folio(new, folio)
            if moved:
                set_bit(new.PG_lru)
                remove_migration_ptes(folio, new)
            else:
                remove_migration_ptes(folio, folio)
        mutex_unlock(new.PG_locked)
        mutex_unlock(folio.PG_locked)
    folio_put(new)
    if moved:
        folio_put(folio)
    else:
        folio_putback_lru(folio)
