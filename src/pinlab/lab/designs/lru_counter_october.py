"""lru-counter-october: a counter where the lru words are, lowered by put_user_page() only.

Source: Hubbard's RFC, October and November 2018. A pinned page is taken off its LRU list, and the
two words of the list become a flag and a count, under a lock of the zone. page_mkclean() looks
at the flag before it starts: background writeback skips the page, fsync waits there, page locked.

Known holes: it looks before it has write-protected, so a pin in between is missed (I13). fsync
waits with the page lock held, which the pin holder's set_page_dirty_lock() needs (I12). ZONE_DEVICE
pages use the same words. The page comes back to its list here when the last pin goes.
"""

from __future__ import annotations

from pinlab.lab.designs._lru_counter import (
    PageDmaPinned,
    pin_or_put,
    skip_or_wait,
    unpin_page_for_dma,
)
from pinlab.lab.language.kernel import kernel, test_bit, u3
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page


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
    """Background writeback skips, fsync waits; nothing is write-protected yet."""
    return skip_or_wait(page, sync)


@kernel
def reclaim_may_unmap(page: Page) -> bool:
    """try_to_unmap_one() refuses."""
    return not test_bit(PageDmaPinned[page])


@kernel
def release_page(page: Page) -> None:
    """put_user_page()."""
    unpin_page_for_dma(page)
    put_page(page)
