"""Reclaim of one file page. mm/vmscan.c, 4.20."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_inc_not_zero,
    atomic_read,
    cmpxchg,
    kernel,
    mutex_trylock,
    smp_store_release,
    test_and_clear_bit,
    test_and_set_bit,
    test_bit,
    trace,
    u1,
    u4,
)
from pinlab.lab.linux.buffer import try_to_free_buffers
from pinlab.lab.linux.design import (
    SKIP,
    WAIT,
    put_page,
    reclaim_may_release,
    reclaim_may_unmap,
)
from pinlab.lab.linux.filemap import page_index, page_mapped, unlock_page
from pinlab.lab.linux.page_alloc import free_unref_page
from pinlab.lab.linux.page_writeback import (
    PINNED,
    clear_page_dirty_for_io,
    end_page_io,
    writepage,
)
from pinlab.lab.linux.rmap import try_to_unmap
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event

PAGE_KEEP, PAGE_SUCCESS = 0, 1


@kernel
def isolate_lru_page(page: Page) -> bool:
    """Take the page off its LRU list, with a reference. Left out: lru_lock around the two."""
    if not test_and_clear_bit(page.PG_lru):
        return False
    if not atomic_inc_not_zero(page._refcount):
        return False
    return True


@kernel
def putback_lru_page(page: Page) -> None:
    """And back on it, where it must not be yet: VM_BUG_ON_PAGE(PageLRU(page))."""
    assert not test_and_set_bit(page.PG_lru)
    put_page(page)


@kernel
def pageout(mapping: AddressSpace, page: Page) -> u1:
    """Write a page that nobody but cache and reclaim refers to (is_page_cache_freeable()).

    PAGE_SUCCESS: the page lock was dropped, and the write is over when this returns, as with a
    fast block device. PAGE_KEEP: still locked, not written.
    """
    if atomic_read(page._refcount) != 2:
        return PAGE_KEEP
    action = clear_page_dirty_for_io(page, False)
    word = action % PINNED
    if word == SKIP or word == WAIT:
        return PAGE_KEEP
    image: u4 = writepage(page, False, action)
    end_page_io(mapping, page_index(page), page, image)
    return PAGE_SUCCESS


@kernel
def lock_after_pageout(page: Page) -> bool:
    """The tests of shrink_page_list() behind PAGE_SUCCESS: the page lock, unless the page is dirty
    or under writeback again or somebody else has it."""
    if test_bit(page.PG_writeback):
        return False
    if test_bit(page.PG_dirty):
        return False
    return mutex_trylock(page.PG_locked)


@kernel
def lost_in_pageout(page: Page) -> bool:
    """Those behind the second trylock_page(). While it was unlocked the page may have been dirtied,
    or taken out of the page cache: `mapping` is read again."""
    if test_bit(page.PG_dirty):
        return True
    if test_bit(page.PG_writeback):
        return True
    return bool(READ_ONCE(page.mapping) == NULL)


@kernel
def __remove_mapping(mapping: AddressSpace, page: Page) -> bool:
    """Free the page if cache and reclaim hold the only references: page_ref_freeze()."""
    if cmpxchg(page._refcount, 2, 0) != 2:
        return False
    if test_bit(page.PG_dirty):
        smp_store_release(page._refcount, 2)  # page_ref_unfreeze
        return False
    WRITE_ONCE(mapping.i_pages[page_index(page)], 0)
    WRITE_ONCE(page.mapping, NULL)
    trace(Event.CACHE_DEL, page)
    return True


@kernel
def shrink_page_list(mapping: AddressSpace, page: Page) -> None:
    """One page through reclaim: unmap, write, take its buffers, free. Left out: references by
    access bits (every page is cold), congestion, page lists; the buffers of a page that has left
    the cache with them, which are then dropped (who deletes a page takes its buffers first)."""
    if not isolate_lru_page(page):
        return
    if not mutex_trylock(page.PG_locked):
        putback_lru_page(page)
        return
    keep = READ_ONCE(page.mapping) == NULL
    if not keep:
        keep = test_bit(page.PG_writeback)
    if not keep:
        keep = not reclaim_may_unmap(page)
    if not keep and page_mapped(page):
        try_to_unmap(page)
        keep = page_mapped(page)
    if not keep and test_bit(page.PG_dirty):
        if pageout(mapping, page) == PAGE_SUCCESS:
            if not lock_after_pageout(page):
                putback_lru_page(page)
                return
            keep = lost_in_pageout(page)
        else:
            keep = True
    if not keep and test_bit(page.PagePrivate):
        if reclaim_may_release(page):
            keep = not try_to_free_buffers(mapping, page)
        else:
            keep = True
    if not keep:
        if __remove_mapping(mapping, page):
            unlock_page(page)
            trace(Event.PAGE_FREE, page)
            free_unref_page(page)
            return
    unlock_page(page)
    putback_lru_page(page)
