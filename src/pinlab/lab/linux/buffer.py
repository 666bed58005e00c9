"""Buffers of a page, and dirtying a page that may have some. fs/buffer.c, 4.20.

A page's buffers are dirty when the page is: the kernel sets both under private_lock and cleans
both before the page is unlocked for I/O, so one bit stands for the two.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    clear_bit,
    kernel,
    set_bit,
    spin_lock,
    spin_unlock,
    test_and_set_bit,
    test_bit,
    trace,
)
from pinlab.lab.linux.filemap import lock_page, unlock_page
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event


@kernel
def set_page_dirty(page: Page) -> None:
    """mm/page-writeback.c; __set_page_dirty_buffers() for a page of the file.

    Without buffers the page is dirtied all the same; writeback will find that out. A page that
    belongs to nobody gets the flag only. The buffers that were found are still there
    when they are dirtied. Left out: the DIRTY tag, accounting, the inode's lists.
    """
    mapping: AddressSpace = READ_ONCE(page.mapping)
    if mapping == NULL:
        test_and_set_bit(page.PG_dirty)
        return
    spin_lock(mapping.private_lock)
    if test_bit(page.PagePrivate):
        assert READ_ONCE(page.PagePrivate)  # set_buffer_dirty(): they were not freed meanwhile
    if not test_and_set_bit(page.PG_dirty):
        trace(Event.DIRTY, page)
    spin_unlock(mapping.private_lock)


@kernel
def set_page_dirty_lock(page: Page) -> None:
    """mm/page-writeback.c."""
    lock_page(page)
    set_page_dirty(page)
    unlock_page(page)


@kernel
def create_empty_buffers(page: Page) -> None:
    """Page lock held. Left out: private_lock, which only readers of the buffers need here, and the
    reference that buffers hold on their page: whoever compares counts subtracts it again."""
    set_bit(page.PagePrivate)
    trace(Event.ATTACH_BUFFERS, page)


@kernel
def try_to_free_buffers(mapping: AddressSpace, page: Page) -> bool:
    """Page lock held. Not under writeback; dirty buffers are busy. Left out: buffers busy for other
    reasons, and cancel_dirty_page(), which finds nothing as dirty is one bit here."""
    if test_bit(page.PG_writeback):
        return False
    spin_lock(mapping.private_lock)
    freed = False
    if not test_bit(page.PG_dirty):
        clear_bit(page.PagePrivate)
        trace(Event.RELEASE_BUFFERS, page)
        freed = True
    spin_unlock(mapping.private_lock)
    return freed
