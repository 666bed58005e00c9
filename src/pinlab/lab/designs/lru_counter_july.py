"""lru-counter-july: as lru-counter-october, but every get_page() and put_page() counts.

Source: Hubbard's RFC v2, 2 July 2018. There was no put_user_page() yet: once a page is pinned, any
reference taken raises the count and any reference dropped lowers it.

Known holes: a reference taken before the pin and dropped after it lowers a count it never raised,
and the page looks unpinned under its holder (I13; Kara, 2 July: being pinned is a property of a
reference, not of a page). Those of October are here too.
"""

from __future__ import annotations

from pinlab.lab.designs.lru_counter_october import (
    PageDmaPinned,
    dma_pinned_count,
    unpin_page_for_dma,
    zone_gup_lock,
)
from pinlab.lab.language.kernel import (
    atomic_dec_and_test,
    atomic_inc,
    kernel,
    spin_lock_irq,
    spin_unlock_irq,
    test_bit,
    trace,
)
from pinlab.lab.linux.page_alloc import free_unref_page
from pinlab.lab.linux.types import Page
from pinlab.objectives.events import Event

BASE = "lru-counter-october"


@kernel
def get_page(page: Page) -> None:
    """Counts if the page is pinned by now."""
    atomic_inc(page._refcount)
    if test_bit(PageDmaPinned[page]):
        spin_lock_irq(zone_gup_lock)
        if test_bit(PageDmaPinned[page]):
            atomic_inc(dma_pinned_count[page])
        spin_unlock_irq(zone_gup_lock)


@kernel
def put_page(page: Page) -> None:
    """Counts if the page is still pinned."""
    if test_bit(PageDmaPinned[page]):
        unpin_page_for_dma(page)
    if atomic_dec_and_test(page._refcount):
        trace(Event.PAGE_FREE, page)
        free_unref_page(page)


@kernel
def release_page(page: Page) -> None:
    """Whoever pinned drops an ordinary reference."""
    put_page(page)
