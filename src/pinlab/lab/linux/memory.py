"""Faults, copy on write, zapping. mm/memory.c, 4.20.

mmap_sem is held for reading by whoever calls handle_mm_fault(). Left out: swap, huge pages,
userfaultfd, NUMA hinting, the retry of faults that drop mmap_sem.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    VM_BUG_ON,
    WRITE_ONCE,
    atomic_read,
    down_read,
    kernel,
    mutex_trylock,
    ptep_get_and_clear,
    smp_wmb,
    spin_lock,
    spin_unlock,
    static_branch,
    trace,
    u1,
    u5,
    up_read,
)
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.dax import ext4_dax_fault
from pinlab.lab.linux.design import (
    get_page,
    mmu_notifier_invalidate_range_end,
    mmu_notifier_invalidate_range_start,
    pin_holds,
    put_page,
)
from pinlab.lab.linux.filemap import filemap_fault, unlock_page
from pinlab.lab.linux.fs import page_mkwrite
from pinlab.lab.linux.ghost import owner_pin
from pinlab.lab.linux.keys import dax, tables_go
from pinlab.lab.linux.page_alloc import alloc_page
from pinlab.lab.linux.rmap import page_add_file_rmap, page_add_new_anon_rmap, page_remove_rmap
from pinlab.lab.linux.tlb import flush_tlb_page
from pinlab.lab.linux.types import (
    FILE,
    PRIVATE,
    AddressSpace,
    Mm,
    Page,
    Vma,
    mk_pte,
    pte_dirty,
    pte_none,
    pte_page,
    pte_pfn,
    pte_write,
)
from pinlab.objectives.events import Event

FAULT_OK = 0
FAULT_RETRY = 1
FAULT_SIGBUS = 2


@kernel
def do_shared_fault(vma: Vma, index: u1) -> int:
    """First store to a page of a shared mapping: find it, tell the file system, map it writable."""
    mapping = cast(AddressSpace, FILE)
    page = filemap_fault(mapping, index)
    if page == NULL:
        return FAULT_SIGBUS
    unlock_page(page)
    if not page_mkwrite(mapping, page):
        put_page(page)
        return FAULT_RETRY
    spin_lock(vma.ptl)  # finish_fault, alloc_set_pte
    mapped = False
    if pte_none(READ_ONCE(vma.pte[index])):
        page_add_file_rmap(page)
        WRITE_ONCE(vma.pte[index], mk_pte(page, 1))
        mapped = True
    spin_unlock(vma.ptl)
    fault_dirty_shared_page(page)
    if not mapped:
        put_page(page)
    return FAULT_OK


@kernel
def do_read_fault(vma: Vma, index: u1) -> int:
    """First load from a page of a file mapping: map it read-only. Left out: fault-around."""
    page = filemap_fault(cast(AddressSpace, FILE), index)
    if page == NULL:
        return FAULT_SIGBUS
    spin_lock(vma.ptl)
    mapped = False
    if pte_none(READ_ONCE(vma.pte[index])):
        page_add_file_rmap(page)
        WRITE_ONCE(vma.pte[index], mk_pte(page, 0))
        mapped = True
    spin_unlock(vma.ptl)
    unlock_page(page)
    if not mapped:
        put_page(page)
    return FAULT_OK


@kernel
def fault_dirty_shared_page(page: Page) -> None:
    """The entry is dirty, so the page is; page_mkwrite() left it locked. Left out: throttling."""
    set_page_dirty(page)
    unlock_page(page)


@kernel
def wp_page_shared(vma: Vma, index: u1, pte: u5) -> int:
    """Store to a read-only entry of a shared mapping; PTL held, released."""
    page = pte_page(pte)
    get_page(page)
    spin_unlock(vma.ptl)
    if not page_mkwrite(cast(AddressSpace, FILE), page):
        put_page(page)
        return FAULT_RETRY
    spin_lock(vma.ptl)  # finish_mkwrite_fault
    if READ_ONCE(vma.pte[index]) == pte:
        WRITE_ONCE(vma.pte[index], mk_pte(page, 1))  # wp_page_reuse
        spin_unlock(vma.ptl)
        fault_dirty_shared_page(page)
    else:
        spin_unlock(vma.ptl)
        unlock_page(page)
    put_page(page)
    return FAULT_OK


@kernel
def do_wp_page_anon(vma: Vma, index: u1, pte: u5) -> int:
    """Store to a read-only anonymous page; PTL held, released.

    reuse_swap_page(): the page is reused when nobody else maps it, whoever else holds references;
    otherwise wp_page_copy(). Left out: the trylock's slow path (a locked anonymous page needs a
    swapper).
    """
    page = pte_page(pte)
    if mutex_trylock(page.PG_locked):
        alone = atomic_read(page._mapcount) == 0
        unlock_page(page)
        if alone:
            WRITE_ONCE(vma.pte[index], mk_pte(page, 1))
            spin_unlock(vma.ptl)
            return FAULT_OK
    get_page(page)
    spin_unlock(vma.ptl)
    copy = alloc_page()  # wp_page_copy
    if copy == NULL:
        put_page(page)
        return FAULT_SIGBUS
    WRITE_ONCE(copy.data, READ_ONCE(page.data))
    smp_wmb()  # __SetPageUptodate
    mmu_notifier_invalidate_range_start(page)
    spin_lock(vma.ptl)
    if READ_ONCE(vma.pte[index]) == pte:
        ptep_get_and_clear(vma.pte[index])
        flush_tlb_page()
        page_add_new_anon_rmap(copy)
        WRITE_ONCE(vma.pte[index], mk_pte(copy, 1))
        if (
            cast(int, vma) == PRIVATE
            and READ_ONCE(owner_pin) == cast(int, page)
            and pin_holds(page)
        ):
            trace(Event.PIN_STALE, page)
        page_remove_rmap(page)
        spin_unlock(vma.ptl)
        put_page(page)
    else:
        spin_unlock(vma.ptl)
        put_page(copy)
    mmu_notifier_invalidate_range_end(page)
    put_page(page)
    return FAULT_OK


@kernel
def handle_mm_fault(vma: Vma, index: u1, write: u1) -> int:
    """handle_pte_fault(): what kind of fault this is. Anonymous memory that is
    missing was thrown away and does not come back here: SIGBUS."""
    spin_lock(vma.ptl)
    pte = READ_ONCE(vma.pte[index])
    if pte_none(pte):
        spin_unlock(vma.ptl)
        if not static_branch(vma.VM_FILE):
            return FAULT_SIGBUS
        if static_branch(dax):
            return FAULT_OK if ext4_dax_fault(vma, index) else FAULT_SIGBUS
        if write == 1 and static_branch(vma.VM_SHARED):
            return do_shared_fault(vma, index)
        return do_read_fault(vma, index)
    if write == 1 and not pte_write(pte):
        if static_branch(vma.VM_SHARED):
            return wp_page_shared(vma, index, pte)
        return do_wp_page_anon(vma, index, pte)
    spin_unlock(vma.ptl)  # somebody else has handled it
    return FAULT_OK


@kernel
def do_user_addr_fault(mm: Mm, vma: Vma, index: u1, write: u1) -> int:
    """arch/x86/mm/fault.c (do_user_addr_fault() since 5.2): a fault of user code.

    mmap_sem keeps the page tables, which who unmaps frees under it. Nothing in the kernel looks
    whether they are there: to use one that was freed is what the assertion stands for.
    """
    down_read(mm.mmap_sem)
    if static_branch(tables_go):
        if READ_ONCE(vma.unmapped):  # find_vma
            up_read(mm.mmap_sem)
            return FAULT_SIGBUS
    fault = handle_mm_fault(vma, index, write)
    if static_branch(tables_go):
        VM_BUG_ON(READ_ONCE(vma.table_freed))
    up_read(mm.mmap_sem)
    return fault


@kernel
def zap_pte_range(vma: Vma, index: u1) -> None:
    """Clear one entry: no page lock, the PTL alone. The page goes after the TLB flush."""
    spin_lock(vma.ptl)
    pte = READ_ONCE(vma.pte[index])
    if pte_none(pte):
        spin_unlock(vma.ptl)
        return
    if static_branch(dax):  # pte_devmap(): vm_normal_page() is NULL, so nothing is dropped
        ptep_get_and_clear(vma.pte[index])
        flush_tlb_page()
        spin_unlock(vma.ptl)
        return
    page = pte_page(pte)
    ptep_get_and_clear(vma.pte[index])
    if pte_dirty(pte) and static_branch(vma.VM_FILE):
        set_page_dirty(page)
    page_remove_rmap(page)
    flush_tlb_page()
    spin_unlock(vma.ptl)
    put_page(page)


@kernel
def zap_page_range(vma: Vma, index: u1, page: Page) -> None:
    """With the notifier around it. `page` is what a device may have mapped there."""
    mmu_notifier_invalidate_range_start(page)
    zap_pte_range(vma, index)
    mmu_notifier_invalidate_range_end(page)


@kernel
def madvise_dontneed(mm: Mm, vma: Vma, index: u1) -> None:
    """madvise(MADV_DONTNEED), mm/madvise.c."""
    down_read(mm.mmap_sem)
    if static_branch(tables_go):
        if READ_ONCE(vma.unmapped):  # find_vma
            up_read(mm.mmap_sem)
            return
    page = cast(Page, pte_pfn(READ_ONCE(vma.pte[index])))
    zap_page_range(vma, index, page)
    if static_branch(tables_go):
        VM_BUG_ON(READ_ONCE(vma.table_freed))
    up_read(mm.mmap_sem)
