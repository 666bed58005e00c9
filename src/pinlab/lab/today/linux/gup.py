"""get_user_pages(), slow and fast, with FOLL_PIN. mm/gup.c, mm/internal.h, 7.2.

One page a call. Left out: FOLL_FORCE, protnone and special entries, memory that devices have, fatal
signals, and that a fault may drop the mmap lock (the walk then begins again, as it does here).
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    atomic_add,
    atomic_read,
    down_read,
    kernel,
    local_irq_disable,
    local_irq_enable,
    mutex_lock,
    mutex_unlock,
    set_bit,
    smp_load_acquire,
    smp_mb__after_atomic,
    smp_rmb,
    spin_lock,
    spin_unlock,
    static_branch,
    test_bit,
    trace,
    u2,
    u3,
    u4,
    up_read,
)
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.memory import (
    FAULT_FLAG_UNSHARE,
    FAULT_FLAG_WRITE,
    VM_FAULT_SIGBUS,
    handle_mm_fault,
)
from pinlab.lab.today.linux.mm import folio_get, folio_put, folio_put_refs, folio_try_get
from pinlab.lab.today.linux.types import (
    GUP_PIN_COUNTING_BIAS,
    PMD_NONE,
    PMD_TABLE,
    Folio,
    Mm,
    Page,
    Vma,
    page_folio,
    pmd_leaf,
    pmd_page,
    pte_dirty,
    pte_page,
    pte_present,
    pte_write,
)
from pinlab.objectives.events import Event

FOLL_WRITE, FOLL_GET, FOLL_PIN, FOLL_LONGTERM = 1, 2, 4, 8

EMLINK = 7
"""Of no page: there are four."""


@kernel
def try_grab_folio(folio: Folio, flags: u4) -> None:
    """mm/gup.c try_grab_folio(): the page table lock holds the folio. Left out: the zero folio,
    which counts no pins; large folios."""
    assert atomic_read(folio._refcount) > 0
    if flags & FOLL_GET:
        folio_get(folio)
    else:
        atomic_add(GUP_PIN_COUNTING_BIAS, folio._refcount)


@kernel
def try_grab_folio_fast(page: Page, flags: u4) -> Folio:
    """mm/gup.c try_grab_folio_fast(), try_get_folio(); interrupts are off. NULL: nobody holds it.

    Left out: try_get_folio()'s second look at the head, as nothing is split here;
    folio_is_longterm_pinnable(), as there are no zones.
    """
    folio = page_folio(page)
    if not folio_try_get(folio):
        return cast(Folio, NULL)
    if flags & FOLL_PIN:
        atomic_add(GUP_PIN_COUNTING_BIAS - 1, folio._refcount)
        smp_mb__after_atomic()
    return folio


@kernel
def gup_put_folio(folio: Folio, flags: u4) -> None:
    """mm/gup.c gup_put_folio()."""
    if flags & FOLL_PIN:
        folio_put_refs(folio, GUP_PIN_COUNTING_BIAS)
    else:
        folio_put(folio)


@kernel
def gup_fast_folio_allowed(folio: Folio, flags: u4) -> bool:
    """mm/gup.c gup_fast_folio_allowed(): long-term pins for writing of file folios go the slow way.
    Left out: secret memory, and so the look at any other folio; shmem, which is allowed."""
    if not (flags & FOLL_PIN and flags & FOLL_LONGTERM and flags & FOLL_WRITE):
        return True
    return test_bit(folio.PG_anon)


@kernel
def gup_must_unshare(is_cow_mapping: bool, flags: u4, page: Page) -> bool:
    """mm/internal.h gup_must_unshare(): a pin for reading must not be of a page that a store of the
    owner would leave behind. GUP-fast does not know the mapping: it may be private."""
    if flags & FOLL_WRITE or not flags & FOLL_PIN:
        return False
    folio = page_folio(page)
    if not test_bit(folio.PG_anon):
        if not flags & FOLL_LONGTERM:
            return False
        return is_cow_mapping
    smp_rmb()
    return not test_bit(page.PageAnonExclusive)


@kernel
def gup_fast_pmd_unchanged(vma: Vma, pmd: u4) -> bool:
    """mm/gup.c gup_fast_pte_range(), the second look at the upper entry. The table may be off the
    tree by now and its entries as they were."""
    if static_branch(vma.VM_FILE):
        return True
    return bool(READ_ONCE(vma.pmd) == pmd)


@kernel
def gup_fast_pmd_leaf(vma: Vma, pmd: u4, flags: u4) -> Page:
    """mm/gup.c gup_fast_pmd_leaf(). Left out: read-only leaves, as none is write-protected here."""
    page = pmd_page(pmd)
    folio = try_grab_folio_fast(page, flags)
    if folio == NULL:
        return cast(Page, NULL)
    if READ_ONCE(vma.pmd) != pmd:
        gup_put_folio(folio, flags)
        return cast(Page, NULL)
    return page


@kernel
def gup_fast_pte_range(vma: Vma, flags: u4) -> Page:
    """mm/gup.c gup_fast_pmd_range(), gup_fast_pte_range(): lockless, interrupts off: read the
    entry, grab the folio, read the entry again. NULL: the slow way."""
    pmd: u4 = PMD_TABLE
    if not static_branch(vma.VM_FILE):
        pmd = READ_ONCE(vma.pmd)
        if pmd_leaf(pmd):
            return gup_fast_pmd_leaf(vma, pmd, flags)
        if pmd == PMD_NONE:
            return cast(Page, NULL)
    pte = READ_ONCE(vma.pte)
    if not pte_present(pte) or (flags & FOLL_WRITE and not pte_write(pte)):
        return cast(Page, NULL)
    page = pte_page(pte)
    folio = try_grab_folio_fast(page, flags)
    if folio == NULL:
        return cast(Page, NULL)
    unchanged = gup_fast_pmd_unchanged(vma, pmd)
    if unchanged:
        unchanged = READ_ONCE(vma.pte) == pte
    if not unchanged:
        gup_put_folio(folio, flags)
        return cast(Page, NULL)
    if not gup_fast_folio_allowed(folio, flags):
        gup_put_folio(folio, flags)
        return cast(Page, NULL)
    if not pte_write(pte) and gup_must_unshare(True, flags, page):
        gup_put_folio(folio, flags)
        return cast(Page, NULL)
    return page


@kernel
def gup_fast(mm: Mm, vma: Vma, flags: u4) -> Page:
    """mm/gup.c gup_fast(): interrupts off around the walk, so that page tables stay; a pin stands
    only if no fork has write-protected meanwhile (write_protect_seq)."""
    seq: u2 = 0
    if flags & FOLL_PIN:
        seq = smp_load_acquire(mm.write_protect_seq)
        if seq & 1:
            return cast(Page, NULL)
    local_irq_disable()
    page = gup_fast_pte_range(vma, flags)
    local_irq_enable()
    if page != NULL and flags & FOLL_PIN:
        smp_rmb()
        if READ_ONCE(mm.write_protect_seq) != seq:
            gup_put_folio(page_folio(page), flags)
            return cast(Page, NULL)
    return page


@kernel
def follow_page_pte(vma: Vma, flags: u4) -> int:
    """mm/gup.c follow_page_pte() with FOLL_TOUCH: page table lock. The number of the page; 0: a
    fault is needed; EMLINK: unsharing is.

    FOLL_TOUCH marks a folio dirty without its lock. Left out: folio_mark_accessed().
    """
    spin_lock(vma.ptl)
    if not static_branch(vma.VM_FILE):
        pmd = READ_ONCE(vma.pmd)
        if pmd_leaf(pmd):  # follow_trans_huge_pmd()
            leaf = pmd_page(pmd)
            try_grab_folio(page_folio(leaf), flags)
            spin_unlock(vma.ptl)
            return cast(int, leaf)
    pte = READ_ONCE(vma.pte)
    if not pte_present(pte) or (flags & FOLL_WRITE and not pte_write(pte)):
        spin_unlock(vma.ptl)
        return 0
    page = pte_page(pte)
    folio = page_folio(page)
    if not pte_write(pte):
        if gup_must_unshare(not static_branch(vma.VM_SHARED), flags, page):
            spin_unlock(vma.ptl)
            return EMLINK
    if flags & FOLL_PIN and test_bit(folio.PG_anon):
        assert test_bit(page.PageAnonExclusive)
    try_grab_folio(folio, flags)
    if flags & FOLL_WRITE and not pte_dirty(pte):
        if not test_bit(folio.PG_dirty):
            folio_mark_dirty(folio)
    spin_unlock(vma.ptl)
    return cast(int, page)


@kernel
def writable_file_mapping_allowed(vma: Vma, flags: u4) -> bool:
    """mm/gup.c writable_file_mapping_allowed(): no long-term pin for writing where the file system
    wants to know of stores (vma_needs_dirty_tracking())."""
    if not (flags & FOLL_PIN and flags & FOLL_LONGTERM):
        return True
    return not static_branch(vma.VM_SHARED)


@kernel
def __get_user_pages(mm: Mm, vma: Vma, flags: u4) -> Page:
    """mm/gup.c __get_user_pages(), check_vma_flags(): follow, fault, follow again. NULL:
    -EFAULT."""
    if flags & FOLL_WRITE:
        if not writable_file_mapping_allowed(vma, flags):
            return cast(Page, NULL)
    down_read(mm.mmap_lock)
    found: u3 = 0
    failed = False
    while found == 0 and not failed:
        found = follow_page_pte(vma, flags)
        if found == EMLINK:
            failed = handle_mm_fault(vma, FAULT_FLAG_UNSHARE) == VM_FAULT_SIGBUS
            found = 0
        elif found == 0:
            failed = handle_mm_fault(vma, flags & FAULT_FLAG_WRITE) == VM_FAULT_SIGBUS
    up_read(mm.mmap_lock)
    return cast(Page, found)


@kernel
def gup_fast_fallback(mm: Mm, vma: Vma, flags: u4) -> Page:
    """mm/gup.c gup_fast_fallback(), behind pin_user_pages_fast() and get_user_pages_fast(). NULL:
    -EFAULT. Left out: the long-term placement (__gup_longterm_locked()), as there are no zones."""
    if flags & FOLL_PIN and not test_bit(mm.MMF_HAS_PINNED):  # mm_set_has_pinned_flag()
        set_bit(mm.MMF_HAS_PINNED)
    page = gup_fast(mm, vma, flags)
    if page == NULL:
        page = __get_user_pages(mm, vma, flags)
    if page != NULL:
        trace(Event.PIN, page_folio(page))
    return page


@kernel
def unpin_user_page(page: Page) -> None:
    """mm/gup.c unpin_user_page()."""
    folio = page_folio(page)
    trace(Event.UNPIN, folio)
    gup_put_folio(folio, FOLL_PIN)


@kernel
def unpin_user_pages_dirty_lock(page: Page) -> None:
    """mm/gup.c unpin_user_pages_dirty_lock(): dirty what is clean, with the folio lock; then let
    go."""
    folio = page_folio(page)
    if not test_bit(folio.PG_dirty):
        mutex_lock(folio.PG_locked)
        folio_mark_dirty(folio)
        mutex_unlock(folio.PG_locked)
    unpin_user_page(page)
