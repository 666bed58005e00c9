"""The page allocator. mm/page_alloc.c, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    WRITE_ONCE,
    atomic_read,
    atomic_set,
    clear_bit,
    kernel,
    set_bit,
    spin_lock,
    spin_unlock,
    spinlock,
    test_bit,
    trace,
)
from pinlab.lab.layout import OLD
from pinlab.lab.today.linux.types import Folio, folio_page
from pinlab.objectives.events import Event

zone_lock = spinlock()


@kernel
def free_frozen_pages(folio: Folio) -> None:
    """mm/page_alloc.c free_frozen_pages(), free_pages_prepare(): the folio is nobody's from the
    last step on.

    A count of zero alone does not say so: a frozen folio has it, and so has one between the last
    put and this. What is left of the flags goes. Left out: per-CPU lists and merging, as nobody
    looks at a free page.
    """
    trace(Event.PAGE_FREE, folio)
    assert atomic_read(folio._mapcount) == -1
    assert not test_bit(folio.PG_private)
    clear_bit(folio.PG_dirty)
    clear_bit(folio.PG_anon)
    page = folio_page(folio)
    clear_bit(page.PageAnonExclusive)
    clear_bit(page.gave_up)
    clear_bit(page.child_gave_up)
    set_bit(folio.PageBuddy)


@kernel
def folio_alloc() -> Folio:
    """mm/page_alloc.c __folio_alloc_noprof(): a folio with one reference, or NULL. Left out:
    waiting for memory, as a caller that gets none gives up here; the content is zeroed by the
    caller's clearing of it."""
    spin_lock(zone_lock)
    for folio in Folio.all():
        if test_bit(folio.PageBuddy):
            clear_bit(folio.PageBuddy)
            trace(Event.PAGE_ALLOC, folio)
            spin_unlock(zone_lock)
            page = folio_page(folio)
            WRITE_ONCE(page.data, OLD)
            atomic_set(folio._refcount, 1)
            return folio
    spin_unlock(zone_lock)
    return cast(Folio, NULL)
