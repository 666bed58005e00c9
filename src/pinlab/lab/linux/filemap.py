"""The page cache. mm/filemap.c, 4.20.

Left out everywhere: i_pages' xa_lock and its tags. Entries and page->mapping change only under the
page lock here, and the DIRTY and WRITEBACK tags say what the page flags say.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_inc_not_zero,
    atomic_read,
    kernel,
    mutex_lock,
    mutex_unlock,
    static_branch,
    test_and_clear_bit,
    test_bit,
    trace,
    u1,
    wait_event,
)
from pinlab.lab.linux.design import put_page, still_mapped_when_deleted
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event


@kernel
def page_index(page: Page) -> u1:
    """page->index: never changes while the page has one, so reading it is no step."""
    return static_branch(page.index)


@kernel
def page_mapped(page: Page) -> bool:
    """include/linux/mm.h."""
    return atomic_read(page._mapcount) >= 0


@kernel
def lock_page(page: Page) -> None:
    """include/linux/pagemap.h."""
    mutex_lock(page.PG_locked)


@kernel
def unlock_page(page: Page) -> None:
    """mm/filemap.c."""
    mutex_unlock(page.PG_locked)


@kernel
def wait_on_page_writeback(page: Page) -> None:
    """include/linux/pagemap.h."""
    wait_event(not test_bit(page.PG_writeback))


@kernel
def wait_for_stable_page(page: Page) -> None:
    """mm/page-writeback.c. The modelled device asks for stable pages, so this always waits."""
    wait_on_page_writeback(page)


@kernel
def end_page_writeback(page: Page) -> None:
    """mm/filemap.c. Left out: reclaim's rotation of the page."""
    test_and_clear_bit(page.PG_writeback)
    trace(Event.WRITEBACK_END, page)


@kernel
def find_get_page(mapping: AddressSpace, index: u1) -> Page:
    """The page at `index` with a reference taken, or NULL. find_get_entry(): starts over while the
    count is zero (reclaim has frozen it, and may unfreeze) and when the page has gone meanwhile.
    """
    while True:
        page = cast(Page, READ_ONCE(mapping.i_pages[index]))
        if page == NULL:
            return cast(Page, NULL)
        if atomic_inc_not_zero(page._refcount):
            if READ_ONCE(mapping.i_pages[index]) == cast(int, page):
                return page
            put_page(page)


@kernel
def filemap_fault(mapping: AddressSpace, index: u1) -> Page:
    """The page at `index`, locked and with a reference, or NULL (SIGBUS).

    Left out: reading a missing page from the disk. Where a scenario empties the cache, whoever
    comes later fails instead; the reader at the end looks at the disk itself.
    """
    page = find_get_page(mapping, index)
    if page == NULL:
        return cast(Page, NULL)
    lock_page(page)
    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        put_page(page)
        return cast(Page, NULL)
    return page


@kernel
def delete_from_page_cache(mapping: AddressSpace, page: Page) -> None:
    """Page lock held. unaccount_page_cache_page(), __delete_from_page_cache(), and the cache's
    reference. A dirty page that is deleted has its dirtiness cancelled by the caller."""
    if page_mapped(page):
        still_mapped_when_deleted(page)
    WRITE_ONCE(mapping.i_pages[page_index(page)], 0)
    WRITE_ONCE(page.mapping, NULL)
    trace(Event.CACHE_DEL, page)
    put_page(page)
