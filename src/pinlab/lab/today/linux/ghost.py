"""What nobody in the kernel knows, kept to say when an owner's pin went stale."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    READ_ONCE,
    down_read,
    kernel,
    set_bit,
    spin_lock,
    spin_unlock,
    static_branch,
    test_bit,
    trace,
    up_read,
)
from pinlab.lab.layout import CHILD
from pinlab.lab.today.linux.swap import swap_cache
from pinlab.lab.today.linux.types import (
    PTE_PFN,
    PTE_SWAP,
    Mm,
    Page,
    Vma,
    page_folio,
    pmd_leaf,
    pmd_page,
    pte_migration,
    pte_pfn,
)
from pinlab.objectives.events import Event


@kernel
def give_up(vma: Vma, page: Page) -> None:
    """The owner of a private mapping says that the page is not its own any more, before it is
    not: a pin that names another page then is no fault of the kernel's."""
    if not static_branch(vma.VM_SHARED):
        if cast(int, vma) == CHILD:
            set_bit(page.child_gave_up)
        else:
            set_bit(page.gave_up)


@kernel
def owner_gave_up(vma: Vma, page: Page) -> bool:
    """Whether the owner of a private mapping has let go of the page itself."""
    if cast(int, vma) == CHILD:
        return test_bit(page.child_gave_up)
    return test_bit(page.gave_up)


@kernel
def look_at_owner(mm: Mm, vma: Vma, page: Page) -> None:
    """Who holds a pin of private memory compares it with what the owner's address names.

    The mmap lock keeps fork away, the page table lock an entry that is cleared and set again. The
    entry comes first, then what the owner says: who zaps says so first. All of it before the unpin,
    after which copy on write may move the owner away. A page that was swapped out is the owner's
    as long as the swap cache has it.
    """
    if not static_branch(vma.VM_SHARED):
        down_read(mm.mmap_lock)
        spin_lock(vma.ptl)
        pte = READ_ONCE(vma.pte)
        stale = pte_pfn(pte) != cast(int, page)
        if pte_migration(pte):
            stale = pte & PTE_PFN != cast(int, page)
        elif pte & PTE_SWAP:
            stale = READ_ONCE(swap_cache) != cast(int, page)
        if not static_branch(vma.VM_FILE):
            pmd = READ_ONCE(vma.pmd)
            if pmd_leaf(pmd):
                stale = pmd_page(pmd) != page
        spin_unlock(vma.ptl)
        if stale and not owner_gave_up(vma, page):
            trace(Event.PIN_STALE, page_folio(page))
        up_read(mm.mmap_lock)
