"""fork(2): one private mapping with an anon_vma. mm/mmap.c, mm/memory.c, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    down_write,
    kernel,
    ptep_set_wrprotect,
    smp_wmb,
    spin_lock,
    spin_unlock,
    test_bit,
    u6,
    up_write,
)
from pinlab.lab.today.linux.memory import copy_user_page
from pinlab.lab.today.linux.mm import folio_get, folio_put
from pinlab.lab.today.linux.page_alloc import folio_alloc
from pinlab.lab.today.linux.rmap import (
    folio_add_new_anon_rmap,
    folio_try_dup_anon_rmap_pte,
)
from pinlab.lab.today.linux.swap import swap_dup_entry
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PTE_PFN,
    Folio,
    Mm,
    Vma,
    folio_page,
    mk_pte,
    page_folio,
    pte_migration,
    pte_none,
    pte_page,
    pte_present,
    pte_swp_exclusive,
    pte_write,
    pte_wrprotect,
    swp_pte,
)

COPIED, TOOK_FOLIO, WANTS_FOLIO = 0, 1, 2


@kernel
def copy_present_page(child: Vma, folio: Folio, prealloc: Folio) -> None:
    """mm/memory.c copy_present_page(): the child gets a page of its own; the parent's entry is not
    touched, and so the parent may store while this copies."""
    copy_user_page(folio_page(prealloc), folio_page(folio))
    folio_add_new_anon_rmap(prealloc)
    WRITE_ONCE(child.pte, mk_pte(folio_page(prealloc), 1))


@kernel
def copy_present_ptes(mm: Mm, parent: Vma, child: Vma, pte: u6, prealloc: Folio) -> int:
    """mm/memory.c copy_present_ptes(), __copy_present_ptes(): share one page read-only, or copy it
    if it may be pinned. COPIED, TOOK_FOLIO, or WANTS_FOLIO (-EAGAIN). Both page table locks are
    held. Left out: batches, as there is one entry; pages of files, as only anonymous memory is
    forked here."""
    folio = page_folio(pte_page(pte))
    folio_get(folio)
    assert test_bit(folio.PG_anon)
    if not folio_try_dup_anon_rmap_pte(mm, folio):
        folio_put(folio)
        if prealloc == NULL:
            return WANTS_FOLIO
        copy_present_page(child, folio, prealloc)
        return TOOK_FOLIO
    if pte_write(pte):
        ptep_set_wrprotect(parent.pte, pte_wrprotect(pte))
    WRITE_ONCE(child.pte, pte_wrprotect(pte))
    return COPIED


@kernel
def copy_nonpresent_pte(parent: Vma, child: Vma, pte: u6) -> None:
    """mm/memory.c copy_nonpresent_pte(), of a swap entry or that of a page being migrated: neither
    is exclusive any more."""
    shared: u6 = swp_pte(0) | pte & PTE_PFN
    if not pte_migration(pte):
        swap_dup_entry()
    if pte_swp_exclusive(pte):
        WRITE_ONCE(parent.pte, shared)
    WRITE_ONCE(child.pte, shared)


@kernel
def copy_pte_range(mm: Mm, parent: Vma, child: Vma) -> None:
    """mm/memory.c copy_pte_range(): one entry; a folio for a copy is allocated without the locks,
    and the entry read again. Without memory fork fails, and what it has copied stays here."""
    prealloc = cast(Folio, NULL)
    again = True
    while again:
        again = False
        took = False
        spin_lock(child.ptl)
        spin_lock(parent.ptl)
        pte = READ_ONCE(parent.pte)
        if not pte_none(pte) and not pte_present(pte):
            copy_nonpresent_pte(parent, child, pte)
        elif not pte_none(pte):
            done = copy_present_ptes(mm, parent, child, pte, prealloc)
            again = done == WANTS_FOLIO
            took = done == TOOK_FOLIO
        spin_unlock(parent.ptl)
        spin_unlock(child.ptl)
        if again:
            prealloc = folio_alloc()
            if prealloc == NULL:
                again = False
        elif prealloc != NULL and not took:
            folio_put(prealloc)


@kernel
def copy_page_range(mm: Mm, parent: Vma, child: Vma) -> None:
    """mm/memory.c copy_page_range(), vma_needs_copy(): the sequence count is odd while entries
    become read-only, which keeps GUP-fast out. Left out: mappings without an anon_vma, which are
    not copied but faulted in again; leaves, as no operation collapses beside fork."""
    WRITE_ONCE(mm.write_protect_seq, (READ_ONCE(mm.write_protect_seq) + 1) % 4)
    smp_wmb()
    copy_pte_range(mm, parent, child)
    smp_wmb()
    WRITE_ONCE(mm.write_protect_seq, (READ_ONCE(mm.write_protect_seq) + 1) % 4)


@kernel
def dup_mmap(mm: Mm, new: Mm, parent: Vma, child: Vma) -> None:
    """mm/mmap.c dup_mmap(): both mmap locks for writing, and the flush at the end. Left out:
    the lock of the mapping, as who faults holds the mmap lock here."""
    down_write(mm.mmap_lock)
    down_write(new.mmap_lock)
    copy_page_range(mm, parent, child)
    flush_tlb_page()
    up_write(new.mmap_lock)
    up_write(mm.mmap_lock)
