"""From a page to the entries that map it. mm/rmap.c, 4.20.

i_mmap holds every file mapping of the scenario from the start until munmap takes it off. Left out:
anon walks (nothing of the model swaps), huge mappings, migration, mlock.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    READ_ONCE,
    VM_BUG_ON,
    WRITE_ONCE,
    atomic_dec_return,
    atomic_inc,
    atomic_inc_return,
    atomic_set,
    down_read,
    kernel,
    ptep_get_and_clear,
    spin_lock,
    spin_unlock,
    static_branch,
    trace,
    u3,
    up_read,
)
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.design import (
    mkclean_begin,
    mkclean_end,
    mmu_notifier_invalidate_range_end,
    mmu_notifier_invalidate_range_start,
    put_page,
    rmap_walk_visits,
)
from pinlab.lab.linux.filemap import page_index, page_mapped
from pinlab.lab.linux.keys import tables_go
from pinlab.lab.linux.tlb import flush_tlb_page
from pinlab.lab.linux.types import (
    FILE,
    AddressSpace,
    Page,
    Vma,
    pte_dirty,
    pte_mkclean,
    pte_pfn,
    pte_write,
    pte_wrprotect,
)
from pinlab.objectives.events import Event


@kernel
def is_in_i_mmap(vma: Vma) -> bool:
    """vma_interval_tree_foreach(): whether the file's tree has a mapping. i_mmap_rwsem held, which
    keeps its page table too: who unmaps takes it off the tree before the table goes. Nothing in the
    kernel looks whether the table is there: to use one that was freed is what VM_BUG_ON stands for
    in the walks."""
    if static_branch(tables_go):
        return not READ_ONCE(vma.unlinked)
    return True


@kernel
def page_add_file_rmap(page: Page) -> None:
    """A new entry maps the page; its PTL is held. atomic_inc_and_test() in 4.20."""
    atomic_inc_return(page._mapcount)


@kernel
def page_add_new_anon_rmap(page: Page) -> None:
    """The first entry that maps a new page. Left out: its anon_vma, which is there already."""
    atomic_set(page._mapcount, 0)


@kernel
def page_dup_rmap(page: Page) -> None:
    """include/linux/rmap.h: a copy of an entry that maps the page; both PTLs are held."""
    atomic_inc(page._mapcount)


@kernel
def page_remove_rmap(page: Page) -> None:
    """An entry has been cleared; its PTL is held. atomic_add_negative() in 4.20. Left out:
    NR_FILE_MAPPED."""
    atomic_dec_return(page._mapcount)


@kernel
def page_mkclean(page: Page) -> u3:
    """Write-protect and clean every entry that maps `page`; how many were changed.

    Page lock held. rmap_walk_file() with page_mkclean_one() in line. The page's mapping is stable
    under its lock, and there is one file, so it is not read again.
    """
    mapping = cast(AddressSpace, FILE)
    mapped: u3 = 0
    cleaned: u3 = 0
    mkclean_begin(page)
    mmu_notifier_invalidate_range_start(page)
    if page_mapped(page):
        down_read(mapping.i_mmap_rwsem)
        for vma in Vma.all():
            if static_branch(vma.present) and static_branch(vma.VM_FILE):
                if is_in_i_mmap(vma) and rmap_walk_visits(vma):
                    spin_lock(vma.ptl)
                    pte = READ_ONCE(vma.pte[page_index(page)])
                    if pte_pfn(pte) == cast(int, page):
                        mapped += 1
                        if static_branch(vma.VM_SHARED) and (pte_dirty(pte) or pte_write(pte)):
                            ptep_get_and_clear(vma.pte[page_index(page)])  # ptep_clear_flush
                            flush_tlb_page()
                            WRITE_ONCE(vma.pte[page_index(page)], pte_mkclean(pte_wrprotect(pte)))
                            cleaned += 1
                    VM_BUG_ON(READ_ONCE(vma.table_freed))
                    spin_unlock(vma.ptl)
        up_read(mapping.i_mmap_rwsem)
    mmu_notifier_invalidate_range_end(page)
    trace(Event.MKCLEAN, page)
    trace(Event.QUERY, page)
    mkclean_end(page, mapped, cleaned)
    return cleaned


@kernel
def try_to_unmap(page: Page) -> None:
    """Clear every entry that maps the page; what they know of dirtiness goes to the page.

    Page lock held, try_to_unmap_one() in line. Left out: batched flushes.
    """
    mapping = cast(AddressSpace, FILE)
    mmu_notifier_invalidate_range_start(page)
    down_read(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            if is_in_i_mmap(vma):
                spin_lock(vma.ptl)
                pte = READ_ONCE(vma.pte[page_index(page)])
                if pte_pfn(pte) == cast(int, page):
                    ptep_get_and_clear(vma.pte[page_index(page)])  # ptep_clear_flush
                    flush_tlb_page()
                    if pte_dirty(pte):
                        set_page_dirty(page)
                    page_remove_rmap(page)
                    put_page(page)
                VM_BUG_ON(READ_ONCE(vma.table_freed))
                spin_unlock(vma.ptl)
    up_read(mapping.i_mmap_rwsem)
    mmu_notifier_invalidate_range_end(page)
