"""lru-counter-october: a counter where the lru words are, lowered by put_user_page() only.

Source: Hubbard's RFC, October and November 2018. A pinned page is taken off its LRU list, and the
two words of the list become a flag and a count, under a lock of the zone. page_mkclean() looks
at the flag before it starts: background writeback skips the page, fsync waits there, page locked.

Known holes: it looks before it has write-protected, so a pin in between is missed (I13). fsync
waits with the page lock held, which the pin holder's set_page_dirty_lock() needs (I12). ZONE_DEVICE
pages use the same words. The page comes back to its list here when the last pin goes.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    atomic_dec_and_test,
    atomic_inc,
    atomic_set,
    clear_bit,
    kernel,
    per_page,
    schedule,
    set_bit,
    spin_lock_irq,
    spin_unlock_irq,
    spinlock,
    test_and_clear_bit,
    test_bit,
    u3,
)
from pinlab.lab.linux.design import SKIP, WRITE, put_page
from pinlab.lab.linux.types import Page

PageDmaPinned = per_page(0, 1, bytes=0, word="flags")
dma_pinned_count = per_page(0, 7, bytes=0)
zone_gup_lock = spinlock()


@kernel
def pin_page_for_dma(page: Page) -> bool:
    """The first pin takes the page off its list. False: somebody else has it off just now."""
    spin_lock_irq(zone_gup_lock)
    pinned = True
    if test_bit(PageDmaPinned[page]):
        atomic_inc(dma_pinned_count[page])
    elif test_and_clear_bit(page.PG_lru):  # isolate_lru_page
        atomic_set(dma_pinned_count[page], 1)
        set_bit(PageDmaPinned[page])
    else:
        pinned = False
    spin_unlock_irq(zone_gup_lock)
    return pinned


@kernel
def unpin_page_for_dma(page: Page) -> None:
    """The last pin puts the page back on its list."""
    spin_lock_irq(zone_gup_lock)
    if test_bit(PageDmaPinned[page]):
        if atomic_dec_and_test(dma_pinned_count[page]):
            clear_bit(PageDmaPinned[page])
            set_bit(page.PG_lru)
    spin_unlock_irq(zone_gup_lock)


@kernel
def pin_or_put(page: Page) -> bool:
    """GUP has its reference; now the pin, or neither."""
    if not pin_page_for_dma(page):
        put_page(page)
        return False
    return True


@kernel
def grabbed_page(page: Page) -> bool:
    """Slow GUP has its reference; now the pin."""
    return pin_or_put(page)


@kernel
def grabbed_page_fast(page: Page) -> bool:
    """GUP-fast too, interrupts on again."""
    return pin_or_put(page)


@kernel
def before_mkclean(page: Page, sync: bool) -> u3:
    """page_mkclean_one(): skip or wait, before anything is write-protected."""
    if not sync:
        if test_bit(PageDmaPinned[page]):
            return SKIP
        return WRITE
    while test_bit(PageDmaPinned[page]):
        schedule()
    return WRITE


@kernel
def reclaim_may_unmap(page: Page) -> bool:
    """try_to_unmap_one() refuses."""
    return not test_bit(PageDmaPinned[page])


@kernel
def release_page(page: Page) -> None:
    """put_user_page()."""
    unpin_page_for_dma(page)
    put_page(page)
