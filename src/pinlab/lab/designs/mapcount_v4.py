"""mapcount-v4: mappings without an entry, raised under the page lock.

Source: Hubbard's patch of 14 January 2019 (1b6e611238a4). Page lock and PG_writeback keep pin and
writeback apart; GUP-fast only tries the lock.

Known holes: unpin and zap take no page lock, and _mapcount is read after the walk as in v1, so that
a zap in between hides a pin (I13). Entries that are clean already are not counted as mappings, so
the flag stays beside one. Anonymous pages are raised like others.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    atomic_dec,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_read,
    clear_bit,
    kernel,
    mutex_trylock,
    per_page,
    set_bit,
    test_bit,
    u3,
)
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.filemap import lock_page, unlock_page, wait_on_page_writeback
from pinlab.lab.linux.types import Page

PageGupPinned = per_page(0, 1, bytes=0, word="flags")


@kernel
def grabbed_page(page: Page) -> bool:
    """Slow GUP, page table lock dropped: now it may sleep."""
    lock_page(page)
    wait_on_page_writeback(page)
    atomic_inc(page._mapcount)
    set_bit(PageGupPinned[page])
    unlock_page(page)
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """Interrupts off: -EBUSY if the page is locked or under writeback."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    if test_bit(page.PG_writeback) or not mutex_trylock(page.PG_locked):
        put_page(page)
        return False
    if test_bit(page.PG_writeback):
        unlock_page(page)
        put_page(page)
        return False
    atomic_inc(page._mapcount)
    set_bit(PageGupPinned[page])
    unlock_page(page)
    return True


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """No lock: works in interrupts."""
    atomic_dec(page._mapcount)
    put_page(page)


@kernel
def mkclean_end(page: Page, mapped: u3, cleaned: u3) -> None:
    """As many cleaned entries as mappings: no pin."""
    if cleaned == atomic_read(page._mapcount) + 1:
        clear_bit(PageGupPinned[page])


@kernel
def page_pinned(page: Page) -> bool:
    """The flag."""
    return test_bit(PageGupPinned[page])


@kernel
def still_mapped_when_deleted(page: Page) -> None:
    """Truncate must leave the count to the pins."""
