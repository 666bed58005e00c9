"""A small file system: buffers, a block map, blocks that find new owners. fs/ext4/inode.c, 4.20."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    down_read,
    kernel,
    static_branch,
    test_bit,
    trace,
    u1,
    up_read,
)
from pinlab.lab.linux.buffer import create_empty_buffers, set_page_dirty
from pinlab.lab.linux.filemap import lock_page, unlock_page, wait_for_stable_page
from pinlab.lab.linux.keys import truncates
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event


@kernel
def page_mkwrite(mapping: AddressSpace, page: Page) -> bool:
    """ext4_page_mkwrite() through block_page_mkwrite(): the file system hears of the coming store.

    Returns with the page locked, or False (VM_FAULT_NOPAGE) if the page left the file. Left out:
    freeze protection, allocation of blocks (the block map is full until truncated), i_size, which
    says what page->mapping says here.
    """
    if static_branch(truncates):
        down_read(mapping.i_mmap_sem)
    lock_page(page)
    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        if static_branch(truncates):
            up_read(mapping.i_mmap_sem)
        return False
    trace(Event.FAULT_MKWRITE, page)
    if not test_bit(page.PagePrivate):
        create_empty_buffers(page)
    set_page_dirty(page)
    wait_for_stable_page(page)
    if static_branch(truncates):
        up_read(mapping.i_mmap_sem)
    return True


@kernel
def free_blocks(mapping: AddressSpace, index: u1, page: Page) -> None:
    """ext4_ext_truncate(): the block goes back to the file system. `page` is the DAX page that is
    this block, NULL without DAX."""
    WRITE_ONCE(mapping.block[index], 0)
    trace(Event.BLOCK_FREE, page)


@kernel
def reuse_block(page: Page) -> None:
    """Another file gets the block. Left out: the other file; that it owns the block is enough."""
    WRITE_ONCE(page.data, 0)
    trace(Event.BLOCK_REUSE, page)
