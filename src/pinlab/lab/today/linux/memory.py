"""Page faults and what takes entries away. mm/memory.c, mm/madvise.c, 7.2.

The mmap lock or the lock of the mapping is held for reading by who faults.
"""

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
    test_bit,
    u1,
    u2,
    u6,
    up_read,
    wait_event,
)
from pinlab.lab.layout import FILE
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.ext4 import ext4_page_mkwrite
from pinlab.lab.today.linux.filemap import filemap_fault
from pinlab.lab.today.linux.ghost import give_up
from pinlab.lab.today.linux.mm import folio_get, folio_put
from pinlab.lab.today.linux.page_alloc import folio_alloc
from pinlab.lab.today.linux.rmap import (
    folio_add_anon_rmap_pte,
    folio_add_file_rmap_pte,
    folio_add_new_anon_rmap,
    folio_remove_rmap_pte,
)
from pinlab.lab.today.linux.swap import (
    folio_free_swap,
    free_swap_cache,
    swap_cache,
    swap_cache_get_folio,
    swap_count,
    swap_put_entry,
    swapin_sync,
)
from pinlab.lab.today.linux.tlb import flush_tlb_page
from pinlab.lab.today.linux.types import (
    PMD_TABLE,
    PTE_DIRTY,
    PTE_PFN,
    PTE_WRITE,
    AddressSpace,
    Folio,
    Mm,
    Page,
    Vma,
    folio_page,
    mk_pte,
    page_folio,
    pmd_leaf,
    pmd_page,
    pte_dirty,
    pte_migration,
    pte_none,
    pte_page,
    pte_pfn,
    pte_present,
    pte_swp_exclusive,
    pte_write,
)

FAULT_FLAG_WRITE, FAULT_FLAG_UNSHARE = 1, 2

VM_FAULT_NOPAGE, VM_FAULT_SIGBUS = 0, 1
"""VM_FAULT_NOPAGE: look again; also that the fault is done, as who faulted looks again then."""


@kernel
def copy_user_page(to: Page, page: Page) -> None:
    """include/linux/highmem.h copy_mc_user_highpage()."""
    WRITE_ONCE(to.data, READ_ONCE(page.data))


@kernel
def finish_fault(vma: Vma, folio: Folio, write: u1) -> bool:
    """mm/memory.c finish_fault(), set_pte_range(): maps a folio of the file where nothing is.
    False: something is there by now. Left out: more than one page at once; userfaultfd."""
    spin_lock(vma.ptl)
    changed = not pte_none(READ_ONCE(vma.pte))
    if not changed:
        folio_add_file_rmap_pte(folio)
        WRITE_ONCE(vma.pte, mk_pte(folio_page(folio), write))
    spin_unlock(vma.ptl)
    return not changed


@kernel
def fault_dirty_shared_page(folio: Folio) -> None:
    """mm/memory.c fault_dirty_shared_page(); the folio is locked, and is not afterwards. Left out:
    balance_dirty_pages()."""
    folio_mark_dirty(folio)
    mutex_unlock(folio.PG_locked)


@kernel
def do_shared_fault(vma: Vma) -> u1:
    """mm/memory.c do_shared_fault(): a store where a shared mapping has nothing."""
    mapping = cast(AddressSpace, FILE)
    folio = filemap_fault(mapping)
    if folio == NULL:
        return VM_FAULT_SIGBUS
    mutex_unlock(folio.PG_locked)
    if not ext4_page_mkwrite(mapping, folio):
        folio_put(folio)
        return VM_FAULT_NOPAGE
    if finish_fault(vma, folio, 1):
        fault_dirty_shared_page(folio)
    else:
        mutex_unlock(folio.PG_locked)
        folio_put(folio)
    return VM_FAULT_NOPAGE


@kernel
def do_read_fault(vma: Vma) -> u1:
    """mm/memory.c do_read_fault(). Left out: fault-around, which maps what is in the cache without
    waiting: it is this without the waits."""
    folio = filemap_fault(cast(AddressSpace, FILE))
    if folio == NULL:
        return VM_FAULT_SIGBUS
    mapped = finish_fault(vma, folio, 0)
    mutex_unlock(folio.PG_locked)
    if not mapped:
        folio_put(folio)
    return VM_FAULT_NOPAGE


@kernel
def finish_mkwrite_fault(vma: Vma, pte: u6) -> bool:
    """mm/memory.c finish_mkwrite_fault(), wp_page_reuse(). False: the entry has changed."""
    spin_lock(vma.ptl)
    same = READ_ONCE(vma.pte) == pte
    if same:
        WRITE_ONCE(vma.pte, mk_pte(pte_page(pte), 1))
    spin_unlock(vma.ptl)
    return bool(same)


@kernel
def wp_page_shared(vma: Vma, pte: u6) -> u1:
    """mm/memory.c wp_page_shared(): a store through a read-only entry of a shared mapping. The page
    table lock is held, and is not afterwards."""
    folio = page_folio(pte_page(pte))
    folio_get(folio)
    spin_unlock(vma.ptl)
    if ext4_page_mkwrite(cast(AddressSpace, FILE), folio):
        if finish_mkwrite_fault(vma, pte):
            fault_dirty_shared_page(folio)
        else:
            mutex_unlock(folio.PG_locked)
    folio_put(folio)
    return VM_FAULT_NOPAGE


@kernel
def map_anon_page(vma: Vma, folio: Folio) -> bool:
    """mm/memory.c map_anon_folio_pte_pf(), set_pte_range(): a fresh folio, exclusive, where nothing
    is. False: something is there by now."""
    spin_lock(vma.ptl)
    changed = not pte_none(READ_ONCE(vma.pte))
    if not changed:
        folio_add_new_anon_rmap(folio)
        WRITE_ONCE(vma.pte, mk_pte(folio_page(folio), 1))
    spin_unlock(vma.ptl)
    return not changed


@kernel
def do_cow_fault(vma: Vma) -> u1:
    """mm/memory.c do_cow_fault(): a store where a private mapping of a file has nothing."""
    copy = folio_alloc()
    if copy == NULL:
        return VM_FAULT_SIGBUS
    folio = filemap_fault(cast(AddressSpace, FILE))
    if folio == NULL:
        folio_put(copy)
        return VM_FAULT_SIGBUS
    copy_user_page(folio_page(copy), folio_page(folio))
    mapped = map_anon_page(vma, copy)
    mutex_unlock(folio.PG_locked)
    folio_put(folio)
    if not mapped:
        folio_put(copy)
    return VM_FAULT_NOPAGE


@kernel
def do_anonymous_page(vma: Vma, flags: u2) -> u1:
    """mm/memory.c do_anonymous_page(). Left out: the zero page: who reads where nothing was ever
    stored ends here, as a pin of it counts nothing and holds nothing."""
    if not flags & FAULT_FLAG_WRITE:
        return VM_FAULT_SIGBUS
    folio = folio_alloc()
    if folio == NULL:
        return VM_FAULT_SIGBUS
    if not map_anon_page(vma, folio):
        folio_put(folio)
    return VM_FAULT_NOPAGE


@kernel
def wp_can_reuse_anon_folio(folio: Folio) -> bool:
    """mm/memory.c wp_can_reuse_anon_folio(): nobody else has a reference. Left out: KSM; the LRU's
    batches, which hold references and are drained."""
    if atomic_read(folio._refcount) > 3:
        return False
    if atomic_read(folio._refcount) > 1 + test_bit(folio.PG_swapcache):
        return False
    if not mutex_trylock(folio.PG_locked):
        return False
    if test_bit(folio.PG_swapcache):
        folio_free_swap(folio)
    alone = atomic_read(folio._refcount) == 1
    mutex_unlock(folio.PG_locked)
    return alone


@kernel
def wp_page_copy(vma: Vma, pte: u6, folio: Folio, flags: u2) -> u1:
    """mm/memory.c wp_page_copy(): another page with the same content, exclusive; read-only if it is
    only unshared. A reference to the old folio is passed. Left out: mmu notifiers."""
    copy = folio_alloc()
    if copy == NULL:
        folio_put(folio)
        return VM_FAULT_SIGBUS
    copy_user_page(folio_page(copy), folio_page(folio))
    spin_lock(vma.ptl)
    if READ_ONCE(vma.pte) == pte:
        ptep_get_and_clear(vma.pte)
        flush_tlb_page()
        folio_add_new_anon_rmap(copy)
        WRITE_ONCE(vma.pte, mk_pte(folio_page(copy), flags & FAULT_FLAG_WRITE))
        folio_remove_rmap_pte(folio)
        spin_unlock(vma.ptl)
        folio_put(folio)
        free_swap_cache(folio)
    else:
        spin_unlock(vma.ptl)
        folio_put(copy)
    folio_put(folio)
    return VM_FAULT_NOPAGE


@kernel
def do_wp_page(vma: Vma, pte: u6, flags: u2) -> u1:
    """mm/memory.c do_wp_page(), for private mappings: an exclusive page is reused, whatever counts
    say. The page table lock is held, and is not afterwards. Left out: userfaultfd's
    write-protection."""
    page = pte_page(pte)
    folio = page_folio(page)
    if test_bit(folio.PG_anon):
        reuse = test_bit(page.PageAnonExclusive)
        if not reuse:
            reuse = wp_can_reuse_anon_folio(folio)
            if reuse:
                set_bit(page.PageAnonExclusive)
        if reuse:
            if flags & FAULT_FLAG_WRITE:
                WRITE_ONCE(vma.pte, mk_pte(page, 1))
            spin_unlock(vma.ptl)
            return VM_FAULT_NOPAGE
    folio_get(folio)
    spin_unlock(vma.ptl)
    return wp_page_copy(vma, pte, folio, flags)


@kernel
def swap_entry_exclusive(pte: u6, folio: Folio, flags: u2) -> bool:
    """mm/memory.c do_swap_page(): what the entry says. Left out: a swap device that needs stable
    pages and still writes this one, where an exclusive page is taken for shared."""
    if pte_swp_exclusive(pte):
        assert READ_ONCE(swap_count) == 1  # check_swap_exclusive()
        return True
    return False


@kernel
def do_swap_page(vma: Vma, pte: u6, flags: u2) -> u1:
    """mm/memory.c do_swap_page(): an exclusive page is mapped writable. The page table lock is not
    held.

    The slot is freed where a store finds nobody else beside the cache and itself
    (should_try_to_free_swap()); without memory the fault fails. Left out: KSM; devices that free it
    always.
    """
    if pte_migration(pte):  # migration_entry_wait()
        wait_event(READ_ONCE(vma.pte) != pte)
        return VM_FAULT_NOPAGE
    folio = swap_cache_get_folio()
    if folio == NULL:
        folio = folio_alloc()
        if folio == NULL:
            return VM_FAULT_SIGBUS
        if not swapin_sync(folio):
            return VM_FAULT_NOPAGE
    mutex_lock(folio.PG_locked)
    if not test_bit(folio.PG_swapcache):  # folio_matches_swap_entry()
        mutex_unlock(folio.PG_locked)
        folio_put(folio)
        return VM_FAULT_NOPAGE
    spin_lock(vma.ptl)
    if READ_ONCE(vma.pte) != pte:
        spin_unlock(vma.ptl)
        folio_free_swap(folio)
        mutex_unlock(folio.PG_locked)
        folio_put(folio)
        return VM_FAULT_NOPAGE
    exclusive = swap_entry_exclusive(pte, folio, flags)
    if not exclusive:
        exclusive = atomic_read(folio._refcount) == 1
    write = flags & FAULT_FLAG_WRITE
    folio_add_anon_rmap_pte(folio, exclusive)
    swap_put_entry()
    entry: u6 = cast(int, folio) | PTE_WRITE * exclusive | PTE_DIRTY * (exclusive and write != 0)
    WRITE_ONCE(vma.pte, entry)
    if write and atomic_read(folio._refcount) == 2:
        folio_free_swap(folio)
    mutex_unlock(folio.PG_locked)
    if write and not exclusive:
        return do_wp_page(vma, entry, flags)
    spin_unlock(vma.ptl)
    return VM_FAULT_NOPAGE


@kernel
def do_pte_missing(vma: Vma, flags: u2) -> u1:
    """mm/memory.c do_pte_missing(), do_fault()."""
    if not static_branch(vma.VM_FILE):
        return do_anonymous_page(vma, flags)
    if not flags & FAULT_FLAG_WRITE:
        return do_read_fault(vma)
    if static_branch(vma.VM_SHARED):
        return do_shared_fault(vma)
    return do_cow_fault(vma)


@kernel
def handle_mm_fault(vma: Vma, flags: u2) -> u1:
    """mm/memory.c handle_pte_fault(): one look at the entry without a lock, then one with it. Left
    out: NUMA hints; the accessed bit."""
    if not static_branch(vma.VM_FILE):
        if pmd_leaf(READ_ONCE(vma.pmd)):  # writable, and of this process alone
            return VM_FAULT_NOPAGE
    pte = READ_ONCE(vma.pte)
    if pte_none(pte):
        return do_pte_missing(vma, flags)
    if not pte_present(pte):
        return do_swap_page(vma, pte, flags)
    spin_lock(vma.ptl)
    if READ_ONCE(vma.pte) == pte and flags != 0 and not pte_write(pte):
        if static_branch(vma.VM_SHARED):
            return wp_page_shared(vma, pte)
        return do_wp_page(vma, pte, flags)
    spin_unlock(vma.ptl)
    return VM_FAULT_NOPAGE


@kernel
def zap_present_folio_ptes(vma: Vma, pte: u6) -> None:
    """mm/memory.c zap_present_folio_ptes(), mm/mmu_gather.c tlb_finish_mmu(): one entry. The page
    table lock is held, and is not afterwards.

    A dirty entry's mapping is counted down only when no TLB has it any more (delay_rmap), within
    the lock; otherwise the flush comes after it. References go last. Left out: the accessed bit,
    userfaultfd.
    """
    page = pte_page(pte)
    folio = page_folio(page)
    give_up(vma, page)
    ptep_get_and_clear(vma.pte)
    if pte_dirty(pte) and not test_bit(folio.PG_anon):
        folio_mark_dirty(folio)
        flush_tlb_page()
        folio_remove_rmap_pte(folio)
        spin_unlock(vma.ptl)
    else:
        folio_remove_rmap_pte(folio)
        spin_unlock(vma.ptl)
        flush_tlb_page()
    free_swap_cache(folio)
    folio_put(folio)


@kernel
def zap_nonpresent_ptes(vma: Vma, pte: u6) -> None:
    """mm/memory.c zap_nonpresent_ptes(): the entry of a slot, or of a page being migrated. The page
    table lock is held, and is not afterwards. Who has a reference to the folio in the swap cache
    loses it as above."""
    if pte_migration(pte):
        give_up(vma, cast(Page, pte & PTE_PFN))
        WRITE_ONCE(vma.pte, 0)
    else:
        cached = READ_ONCE(swap_cache)
        if cached != 0:
            give_up(vma, cast(Page, cached))
        WRITE_ONCE(vma.pte, 0)
        swap_put_entry()
    spin_unlock(vma.ptl)


@kernel
def zap_huge_pmd(vma: Vma, page: Page) -> None:
    """mm/huge_memory.c zap_huge_pmd(). The page table lock is held, and is not afterwards; the
    table that was put by is put back, where the kernel frees it and the next fault brings
    another."""
    folio = page_folio(page)
    give_up(vma, page)
    WRITE_ONCE(vma.pmd, PMD_TABLE)
    folio_remove_rmap_pte(folio)
    spin_unlock(vma.ptl)
    flush_tlb_page()
    folio_put(folio)


@kernel
def zap_pte_range(vma: Vma, even_cows: bool) -> None:
    """mm/memory.c zap_pte_range(); without `even_cows` private copies stay (should_zap_folio()).
    Left out: page tables that become empty and are freed."""
    spin_lock(vma.ptl)
    if not static_branch(vma.VM_FILE):
        pmd = READ_ONCE(vma.pmd)
        if pmd_leaf(pmd):
            zap_huge_pmd(vma, pmd_page(pmd))
            return
    pte = READ_ONCE(vma.pte)
    zap = not pte_none(pte)
    if zap and not even_cows:
        zap = pte_present(pte)
        if zap:
            folio = page_folio(pte_page(pte))
            zap = not test_bit(folio.PG_anon)
    if zap and not pte_present(pte):
        zap_nonpresent_ptes(vma, pte)
    elif zap:
        zap_present_folio_ptes(vma, pte)
    else:
        spin_unlock(vma.ptl)


@kernel
def madvise_dontneed(mm: Mm, vma: Vma) -> None:
    """mm/madvise.c madvise_dontneed_single_vma()."""
    down_read(mm.mmap_lock)
    zap_pte_range(vma, True)
    up_read(mm.mmap_lock)


@kernel
def unmap_mapping_pages(mapping: AddressSpace, even_cows: bool) -> None:
    """mm/memory.c unmap_mapping_pages(): every entry of the file's page, whatever its folio; no
    folio lock. With `even_cows` private copies of it as well. Left out: that the walk
    may end early."""
    down_read(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            zap_pte_range(vma, even_cows)
    up_read(mapping.i_mmap_rwsem)


@kernel
def unmap_mapping_folio(mapping: AddressSpace, folio: Folio) -> None:
    """mm/memory.c unmap_mapping_folio(): every entry of this folio (skip_cows, single_folio). Folio
    locked."""
    down_read(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            spin_lock(vma.ptl)
            pte = READ_ONCE(vma.pte)
            if pte_pfn(pte) == cast(int, folio):
                zap_present_folio_ptes(vma, pte)
            else:
                spin_unlock(vma.ptl)
    up_read(mapping.i_mmap_rwsem)
