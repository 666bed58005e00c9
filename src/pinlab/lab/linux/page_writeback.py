"""Dirty pages and their way to the disk. mm/page-writeback.c, 4.20."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    kernel,
    static_branch,
    test_and_clear_bit,
    test_and_set_bit,
    test_bit,
    trace,
    u1,
    u4,
)
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.design import (
    BOUNCE,
    BOUNCE_DIRTY,
    SKIP,
    WAIT,
    WRITE,
    WRITE_DIRTY,
    before_mkclean,
    bounce_copy,
    page_pinned,
    put_page,
    wait_until_unpinned,
    writeback_pinned,
    writeback_started,
)
from pinlab.lab.linux.filemap import (
    end_page_writeback,
    find_get_page,
    lock_page,
    unlock_page,
    wait_on_page_writeback,
)
from pinlab.lab.linux.keys import two_pages
from pinlab.lab.linux.rmap import page_mkclean
from pinlab.lab.linux.types import TORN, AddressSpace, Page, disk
from pinlab.objectives.events import Event

PINNED = 8
"""Added to clear_page_dirty_for_io()'s action: the detector said yes."""


@kernel
def clear_page_dirty_for_io(page: Page, sync: bool) -> u4:
    """Write-protect, ask the detector, clear PG_dirty. Page lock held.

    Returns what to do, one of the policy's words, plus PINNED.
    """
    first = before_mkclean(page, sync)
    if first != WRITE:
        return first
    if page_mkclean(page) > 0:
        set_page_dirty(page)
    action: u4 = WRITE
    if page_pinned(page):
        action = writeback_pinned(page, sync) + PINNED
    word = action % PINNED
    if word == SKIP or word == WAIT:
        trace(Event.ANSWER_PINNED, page)
        return action
    if word != BOUNCE_DIRTY and word != WRITE_DIRTY:
        if test_and_clear_bit(page.PG_dirty):
            trace(Event.CLEAN_FOR_IO, page)
    return action


@kernel
def test_set_page_writeback(page: Page) -> None:
    """It must not be set yet: ext4_bio_write_page() has BUG_ON(PageWriteback(page)) before. Left
    out: the WRITEBACK tag and its xa_lock."""
    assert not test_and_set_bit(page.PG_writeback)


@kernel
def writepage(page: Page, sync: bool, action: u4) -> u4:
    """ext4_writepage() and ext4_bio_write_page(): the buffers say where the page goes, so there
    must be some (page_buffers() is a BUG_ON). Page lock held, released.

    Returns the image that goes to the disk: 1 + data for the page itself, 5 + data for a copy.
    """
    assert test_bit(page.PagePrivate)
    test_set_page_writeback(page)
    pinned = action >= PINNED
    word = action % PINNED
    late = writeback_started(page, pinned)
    if late:
        trace(Event.ANSWER_PINNED, page)
    else:
        trace(Event.ANSWER_UNPINNED, page)
    if late and not pinned:
        word = writeback_pinned(page, sync)
    image: u4 = 0
    if word == BOUNCE or word == BOUNCE_DIRTY:
        image = 5 + bounce_copy(page)
        trace(Event.WRITEBACK_BOUNCE, page)
    else:
        image = 1 + READ_ONCE(page.data)
        trace(Event.WRITEBACK_START, page)
    unlock_page(page)
    return image


@kernel
def write_one_page(page: Page, sync: bool) -> u4:
    """One turn of write_cache_pages() for a page with a reference; the image sent, 0 for none."""
    image: u4 = 0
    again = True
    while again:
        again = False
        lock_page(page)
        if READ_ONCE(page.mapping) == NULL:
            unlock_page(page)
            return 0
        if not test_bit(page.PG_dirty):
            unlock_page(page)
            return 0
        if sync:
            wait_on_page_writeback(page)
        elif test_bit(page.PG_writeback):
            unlock_page(page)
            return 0
        trace(Event.WRITEBACK_ATTEMPT, page)
        action = clear_page_dirty_for_io(page, sync)
        word = action % PINNED
        if word == SKIP or word == WAIT:
            unlock_page(page)
            if word == WAIT:
                wait_until_unpinned(page)
                again = True
        else:
            image = writepage(page, sync, action)
    return image


@kernel
def end_page_io(mapping: AddressSpace, index: u1, page: Page, image: u4) -> None:
    """The disk reads the image and the write completes: end_buffer_async_write(), fs/buffer.c.

    A page that changed since its checksum was taken arrives torn. The writer carries its own I/O
    to the end here; the kernel does so in an interrupt, which PG_writeback alone makes visible.
    """
    data = image - 1
    if image >= 5:
        data = image - 5
    elif READ_ONCE(page.data) != data:
        data = TORN
    block = READ_ONCE(mapping.block[index])
    WRITE_ONCE(disk[block], data)
    end_page_writeback(page)


@kernel
def write_cache_pages(mapping: AddressSpace, sync: bool) -> None:
    """Lock, recheck and send every dirty page; the I/O starts when all are in the bio, as a plug
    or ext4's io_submit has it. Left out: tags (PG_dirty is looked at under the page lock), ranges
    and the writeback control's budget."""
    page = find_get_page(mapping, 0)
    image: u4 = 0
    if page != NULL:
        image = write_one_page(page, sync)
    other = cast(Page, NULL)
    other_image: u4 = 0
    if static_branch(two_pages):
        other = find_get_page(mapping, 1)
        if other != NULL:
            other_image = write_one_page(other, sync)
    if image > 0:
        end_page_io(mapping, 0, page, image)
    if other_image > 0:
        end_page_io(mapping, 1, other, other_image)
    if page != NULL:
        wait_on_page_writeback_if(page, sync)
        put_page(page)
    if other != NULL:
        wait_on_page_writeback_if(other, sync)
        put_page(other)


@kernel
def wait_on_page_writeback_if(page: Page, sync: bool) -> None:
    """filemap_fdatawait_range(): data integrity writeback waits for what others have sent."""
    if sync:
        wait_on_page_writeback(page)
