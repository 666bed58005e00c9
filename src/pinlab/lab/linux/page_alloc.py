"""Giving pages out and taking them back. mm/page_alloc.c, 4.20."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    WRITE_ONCE,
    atomic_read,
    atomic_set,
    clear_bit,
    kernel,
    mutex_is_locked,
    set_bit,
    smp_wmb,
    spin_lock,
    spin_unlock,
    spinlock,
    test_bit,
    trace,
)
from pinlab.lab.linux.types import OLD, Page
from pinlab.objectives.events import Event

zone_lock = spinlock()


@kernel
def alloc_page() -> Page:
    """alloc_page_vma(), mm/mempolicy.c: a free anonymous page with one reference, or NULL.

    Only what was freed: a count of zero may also be one that reclaim has frozen, or belong to a
    page on its way back. Left out: sleeping and reclaim inside the allocator; reclaim is an actor
    of its own.
    """
    spin_lock(zone_lock)
    for page in Page.all():
        if test_bit(page.PageBuddy):
            clear_bit(page.PageBuddy)  # rmv_page_order(), under the lock of the lists
            atomic_set(page._refcount, 1)
            trace(Event.PAGE_ALLOC, page)
            spin_unlock(zone_lock)
            set_bit(page.PG_anon)
            WRITE_ONCE(page.data, OLD)
            smp_wmb()  # __SetPageUptodate
            return page
    spin_unlock(zone_lock)
    return cast(Page, NULL)


@kernel
def free_unref_page(page: Page) -> None:
    """Back to the allocator: the caller's last primitive dropped the last reference.

    free_pages_check() reports a page that still has mappings, or is locked, as a bad page: a BUG
    here. Left out: other flags of PAGE_FLAGS_CHECK_AT_FREE; the lists of free pages and their lock,
    as one bit says all of it.
    """
    assert atomic_read(page._mapcount) == -1
    assert not mutex_is_locked(page.PG_locked)
    set_bit(page.PageBuddy)  # __free_one_page
