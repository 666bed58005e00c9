"""get_user_pages(), slow and fast. mm/gup.c, 4.20.

One page a call. Left out: FOLL_FORCE, huge and gate pages, FOLL_LONGTERM's look at the vma except
for DAX (rdma.py), fatal signals.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    down_read,
    kernel,
    local_irq_disable,
    local_irq_enable,
    spin_lock,
    spin_unlock,
    static_branch,
    test_bit,
    trace,
    u1,
    up_read,
)
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.design import (
    grab_page,
    grab_page_fast,
    grabbed_page,
    grabbed_page_fast,
    gup_begin,
    gup_end,
    pin_begins,
    undo_grab,
)
from pinlab.lab.linux.filemap import wait_on_page_writeback
from pinlab.lab.linux.keys import gup_fast_works, tables_go
from pinlab.lab.linux.memory import FAULT_SIGBUS, handle_mm_fault
from pinlab.lab.linux.types import (
    FILE,
    AddressSpace,
    Mm,
    Page,
    Vma,
    pte_dirty,
    pte_none,
    pte_page,
    pte_write,
)
from pinlab.objectives.events import Event


@kernel
def gup_pte_range(vma: Vma, index: u1, write: u1) -> Page:
    """Lockless, interrupts off: read the entry, grab its page, read the entry again.

    With the entry unchanged the page is held. The page table can be freed only by somebody who
    waits for interrupts; the scenario that frees tables looks at that here, and at the pmd.
    """
    if static_branch(tables_go):
        if READ_ONCE(vma.pmd_none):
            return cast(Page, NULL)
    pte = READ_ONCE(vma.pte[index])
    if static_branch(tables_go):
        if READ_ONCE(vma.table_freed):
            trace(Event.WALK_FREED, cast(Page, 1))
    if pte_none(pte) or (write == 1 and not pte_write(pte)):
        return cast(Page, NULL)
    page = pte_page(pte)
    if not grab_page_fast(page):
        return cast(Page, NULL)
    if READ_ONCE(vma.pte[index]) != pte:
        undo_grab(page)
        return cast(Page, NULL)
    return page


@kernel
def __get_user_pages_fast(vma: Vma, index: u1, write: u1) -> Page:
    """The page, or NULL: the caller takes the slow path, or gives up if it is atomic itself.

    The ghost pin begins when nothing can fail any more: with the step that turns interrupts on.
    """
    local_irq_disable()
    page = gup_pte_range(vma, index, write)
    local_irq_enable()
    if page != NULL:
        if not grabbed_page_fast(page):
            return cast(Page, NULL)
        pin_begins(page)
    return page


@kernel
def follow_page_pte(vma: Vma, index: u1, write: u1) -> Page:
    """Slow: under the page table lock. NULL: fault, then try again."""
    spin_lock(vma.ptl)
    pte = READ_ONCE(vma.pte[index])
    if pte_none(pte) or (write == 1 and not pte_write(pte)):
        spin_unlock(vma.ptl)
        return cast(Page, NULL)
    page = pte_page(pte)
    if not grab_page(page):
        spin_unlock(vma.ptl)
        wait_on_page_writeback(page)
        return cast(Page, NULL)
    if write == 1 and not pte_dirty(pte):  # FOLL_TOUCH
        if not test_bit(page.PG_dirty):
            set_page_dirty(page)
    spin_unlock(vma.ptl)
    if not grabbed_page(page):
        return cast(Page, NULL)
    pin_begins(page)
    return page


@kernel
def get_user_pages_unlocked(mm: Mm, vma: Vma, index: u1, write: u1) -> Page:
    """Slow GUP of one page; NULL is -EFAULT.

    The ghost pin begins after the page table lock is dropped: nobody sees a difference, as the
    lock is what others wait for.
    """
    mapping = cast(AddressSpace, FILE)
    page = cast(Page, NULL)
    failed = False
    down_read(mm.mmap_sem)
    gup_begin(mapping)
    while page == NULL and not failed:
        if static_branch(tables_go):
            if READ_ONCE(vma.unmapped):  # find_extend_vma
                failed = True
        if not failed:
            page = follow_page_pte(vma, index, write)
            if page == NULL:
                failed = handle_mm_fault(vma, index, write) == FAULT_SIGBUS  # faultin_page
    gup_end(mapping, page != NULL)
    up_read(mm.mmap_sem)
    return page


@kernel
def get_user_pages_fast(mm: Mm, vma: Vma, index: u1, write: u1) -> Page:
    """Fast if it can, slow otherwise. A design whose pin cannot run with interrupts off has lost
    the fast path: the static key says so."""
    page = cast(Page, NULL)
    if static_branch(gup_fast_works):
        page = __get_user_pages_fast(vma, index, write)
    if page == NULL:
        page = get_user_pages_unlocked(mm, vma, index, write)
    return page
