"""Files on persistent memory: a page is its block. fs/dax.c, 4.20.

An idle DAX page has one reference, of its device; each pin adds one. Left out: page faults that
insert entries (the mapping is there from the start), radix tree entry locks.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    VM_BUG_ON,
    WRITE_ONCE,
    down_read,
    down_write,
    kernel,
    ptep_get_and_clear,
    spin_lock,
    spin_unlock,
    static_branch,
    u1,
    up_read,
    up_write,
)
from pinlab.lab.linux.design import (
    dax_page_busy,
    dax_wait_idle,
    mmu_notifier_invalidate_range_end,
    mmu_notifier_invalidate_range_start,
)
from pinlab.lab.linux.fs import free_blocks, reuse_block
from pinlab.lab.linux.rmap import is_in_i_mmap
from pinlab.lab.linux.tlb import flush_tlb_page
from pinlab.lab.linux.types import FILE, AddressSpace, Page, Vma, mk_pte, pte_none


@kernel
def unmap_mapping_pages_dax(mapping: AddressSpace, index: u1) -> None:
    """mm/memory.c; DAX entries have neither mapcount nor reference in 4.20."""
    page = cast(Page, READ_ONCE(mapping.i_pages[index]))
    mmu_notifier_invalidate_range_start(page)
    down_write(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            if is_in_i_mmap(vma):
                spin_lock(vma.ptl)
                ptep_get_and_clear(vma.pte[index])
                flush_tlb_page()
                VM_BUG_ON(READ_ONCE(vma.table_freed))
                spin_unlock(vma.ptl)
    up_write(mapping.i_mmap_rwsem)
    mmu_notifier_invalidate_range_end(page)


@kernel
def ext4_dax_fault(vma: Vma, index: u1) -> bool:
    """fs/ext4/file.c: dax_iomap_fault() and vmf_insert_mixed_mkwrite(): map the block, which
    i_mmap_sem keeps. False: there is none any more. Left out: allocation of blocks, read-only
    entries, dax_lock_mapping_entry()."""
    mapping = cast(AddressSpace, FILE)
    down_read(mapping.i_mmap_sem)
    page = cast(Page, READ_ONCE(mapping.i_pages[index]))
    if page == NULL:
        up_read(mapping.i_mmap_sem)
        return False
    spin_lock(vma.ptl)
    if pte_none(READ_ONCE(vma.pte[index])):
        WRITE_ONCE(vma.pte[index], mk_pte(page, 1))
    spin_unlock(vma.ptl)
    up_read(mapping.i_mmap_sem)
    return True


@kernel
def dax_layout_busy_page(mapping: AddressSpace, index: u1) -> bool:
    """Unmap first, then look: GUP-fast either sees the entry gone or its reference is seen."""
    unmap_mapping_pages_dax(mapping, index)
    page = cast(Page, READ_ONCE(mapping.i_pages[index]))
    return page != NULL and dax_page_busy(page)


@kernel
def dax_layout_break(mapping: AddressSpace, index: u1) -> None:
    """ext4_break_layouts(): until no page is busy; i_mmap_sem is dropped while waiting."""
    while dax_layout_busy_page(mapping, index):
        up_write(mapping.i_mmap_sem)
        dax_wait_idle(cast(Page, READ_ONCE(mapping.i_pages[index])))
        down_write(mapping.i_mmap_sem)


@kernel
def dax_truncate(mapping: AddressSpace, index: u1) -> None:
    """dax_delete_mapping_entry(), then the block is freed and soon another file's. Nothing is there
    if it was done before."""
    page = cast(Page, READ_ONCE(mapping.i_pages[index]))
    if page == NULL:
        return
    WRITE_ONCE(mapping.i_pages[index], 0)
    free_blocks(mapping, index, page)
    reuse_block(page)
