"""fork and munmap: what happens to page tables. kernel/fork.c, mm/memory.c, mm/mmap.c, 4.20."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    READ_ONCE,
    VM_BUG_ON,
    WRITE_ONCE,
    down_write,
    downgrade_write,
    irqs_enabled,
    kernel,
    ptep_set_wrprotect,
    spin_lock,
    spin_unlock,
    spin_until,
    static_branch,
    u1,
    up_read,
    up_write,
)
from pinlab.lab.linux.design import (
    get_page,
    mmu_notifier_invalidate_range_end,
    mmu_notifier_invalidate_range_start,
)
from pinlab.lab.linux.keys import tables_go, two_pages
from pinlab.lab.linux.memory import zap_page_range
from pinlab.lab.linux.rmap import page_dup_rmap
from pinlab.lab.linux.tlb import flush_tlb_page
from pinlab.lab.linux.types import (
    CPUS,
    FILE,
    AddressSpace,
    Mm,
    Page,
    Vma,
    pte_none,
    pte_page,
    pte_pfn,
    pte_write,
    pte_wrprotect,
)


@kernel
def copy_one_pte(parent: Vma, child: Vma, index: u1) -> None:
    """Share one entry of a private mapping read-only: both page table locks, no page lock."""
    spin_lock(child.ptl)
    spin_lock(parent.ptl)
    pte = READ_ONCE(parent.pte[index])
    if not pte_none(pte):
        if pte_write(pte):
            ptep_set_wrprotect(parent.pte[index], pte_wrprotect(pte))
        page = pte_page(pte)
        get_page(page)
        page_dup_rmap(page)
        WRITE_ONCE(child.pte[index], pte_wrprotect(pte))
    spin_unlock(parent.ptl)
    spin_unlock(child.ptl)


@kernel
def dup_mmap(mm: Mm, new: Mm, parent: Vma, child: Vma, index: u1) -> None:
    """One private mapping with an anon_vma (others are not copied) and one of its entries. Left
    out: linking the child's mapping into i_mmap, which has it from the start."""
    down_write(mm.mmap_sem)
    down_write(new.mmap_sem)
    if static_branch(tables_go):
        if READ_ONCE(parent.unmapped):  # it is not on the list of mappings
            up_write(new.mmap_sem)
            up_write(mm.mmap_sem)
            return
    page = cast(Page, pte_pfn(READ_ONCE(parent.pte[index])))
    mmu_notifier_invalidate_range_start(page)
    copy_one_pte(parent, child, index)
    mmu_notifier_invalidate_range_end(page)
    flush_tlb_page()
    if static_branch(tables_go):
        VM_BUG_ON(READ_ONCE(parent.table_freed))
    up_write(new.mmap_sem)
    up_write(mm.mmap_sem)


@kernel
def unlink_file_vma(vma: Vma) -> None:
    """mm/mmap.c: off the file's tree. Who has found the mapping there works in its page table
    meanwhile, and holds i_mmap_rwsem."""
    mapping = cast(AddressSpace, FILE)
    down_write(mapping.i_mmap_rwsem)
    WRITE_ONCE(vma.unlinked, 1)
    up_write(mapping.i_mmap_rwsem)


@kernel
def munmap(mm: Mm, vma: Vma, index: u1) -> None:
    """Off the mm's tree; zap; off the file's; then free the page table. mmap_sem is held for
    reading only (4.20).

    tlb_remove_table() frees the table after every CPU has had its interrupts on: an IPI, or
    RCU-sched, whose grace period interrupts-off holds up. Left out: other mappings of the table.
    """
    down_write(mm.mmap_sem)
    WRITE_ONCE(vma.unmapped, 1)
    downgrade_write(mm.mmap_sem)
    page = cast(Page, pte_pfn(READ_ONCE(vma.pte[index])))
    zap_page_range(vma, index, page)
    if static_branch(two_pages):
        zap_page_range(vma, 1, cast(Page, pte_pfn(READ_ONCE(vma.pte[1]))))
    if static_branch(vma.VM_FILE):  # free_pgtables
        unlink_file_vma(vma)
    WRITE_ONCE(vma.pmd_none, 1)
    for cpu in range(CPUS):
        spin_until(irqs_enabled(cpu))
    WRITE_ONCE(vma.table_freed, 1)
    up_read(mm.mmap_sem)
