"""Taking pages out of a file. mm/truncate.c, 4.20; the caller's half as in ext4_setattr()."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    VM_BUG_ON,
    clear_bit,
    down_write,
    kernel,
    spin_lock,
    spin_unlock,
    static_branch,
    test_and_clear_bit,
    test_bit,
    trace,
    u1,
    up_write,
)
from pinlab.lab.linux.buffer import try_to_free_buffers
from pinlab.lab.linux.dax import dax_layout_break, dax_truncate
from pinlab.lab.linux.design import put_page, truncate_waits, wait_until_unpinned
from pinlab.lab.linux.filemap import (
    delete_from_page_cache,
    find_get_page,
    lock_page,
    page_mapped,
    unlock_page,
    wait_on_page_writeback,
)
from pinlab.lab.linux.fs import free_blocks
from pinlab.lab.linux.keys import dax
from pinlab.lab.linux.memory import zap_page_range
from pinlab.lab.linux.page_writeback import write_cache_pages
from pinlab.lab.linux.rmap import is_in_i_mmap
from pinlab.lab.linux.types import AddressSpace, Page, Vma
from pinlab.objectives.events import Event

EBUSY = 16


@kernel
def unmap_mapping_range(mapping: AddressSpace, index: u1, page: Page) -> None:
    """mm/memory.c: zap the page at `index` from every mapping of the file. `page` is that page."""
    down_write(mapping.i_mmap_rwsem)
    for vma in Vma.all():
        if static_branch(vma.present) and static_branch(vma.VM_FILE):
            if is_in_i_mmap(vma):
                zap_page_range(vma, index, page)
                VM_BUG_ON(READ_ONCE(vma.table_freed))
    up_write(mapping.i_mmap_rwsem)


@kernel
def cancel_dirty_page(page: Page) -> None:
    """Its data is not wanted any more."""
    if test_and_clear_bit(page.PG_dirty):
        trace(Event.CLEAN_FOR_IO, page)


@kernel
def do_invalidatepage(mapping: AddressSpace, page: Page) -> None:
    """block_invalidatepage() and what it ends in, try_to_free_buffers(), fs/buffer.c: the buffers
    go, whatever state they are in. Left out: that they stay if somebody dirties them in between."""
    spin_lock(mapping.private_lock)
    clear_bit(page.PagePrivate)
    trace(Event.RELEASE_BUFFERS, page)
    spin_unlock(mapping.private_lock)


@kernel
def truncate_inode_page(mapping: AddressSpace, index: u1, page: Page) -> bool:
    """truncate_inode_pages_range() for one page. False: the design wants to wait and look again."""
    lock_page(page)
    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        return True
    if truncate_waits(page):
        unlock_page(page)
        return False
    wait_on_page_writeback(page)
    if page_mapped(page):
        unmap_mapping_range(mapping, index, page)
    do_invalidatepage(mapping, page)
    cancel_dirty_page(page)
    delete_from_page_cache(mapping, page)
    unlock_page(page)
    return True


@kernel
def ext4_setattr(mapping: AddressSpace, index: u1) -> None:
    """truncate(2), or a punched hole, of the page at `index`: break layouts (DAX), unmap, drop the
    page, free its block. Left out: i_size, whose recheck is that of page->mapping here."""
    down_write(mapping.i_rwsem)
    down_write(mapping.i_mmap_sem)
    if static_branch(dax):
        dax_layout_break(mapping, index)
        dax_truncate(mapping, index)
    else:
        again = True
        while again:
            again = False
            page = find_get_page(mapping, index)
            if page != NULL:
                unmap_mapping_range(mapping, index, page)
                again = not truncate_inode_page(mapping, index, page)
                if again:
                    up_write(mapping.i_mmap_sem)
                    wait_until_unpinned(page)
                    down_write(mapping.i_mmap_sem)
                put_page(page)
        free_blocks(mapping, index, cast(Page, NULL))
    up_write(mapping.i_mmap_sem)
    up_write(mapping.i_rwsem)


@kernel
def ext4_evict_inode(mapping: AddressSpace, index: u1) -> None:
    """fs/ext4/inode.c: nobody has the unlinked file open or mapped any more. No layout is broken:
    of a busy page dax_disassociate_entry() warns once (fs/dax.c), and its block goes all the same.
    Left out: files with a page cache, whose pages are not blocks."""
    dax_truncate(mapping, index)


@kernel
def invalidate_inode_pages2(mapping: AddressSpace, index: u1) -> int:
    """Drop the cached page at `index` although it is mapped; -EBUSY (positive here) if it cannot.

    Left out: launder_page(), which ext4 has not; BUG_ON(page_mapped()), as deletion asks it too.
    """
    page = find_get_page(mapping, index)
    if page == NULL:
        return 0
    result = 0
    lock_page(page)
    if READ_ONCE(page.mapping) != NULL:
        wait_on_page_writeback(page)
        if page_mapped(page):
            unmap_mapping_range(mapping, index, page)
        freed = True
        if test_bit(page.PagePrivate):
            freed = try_to_free_buffers(mapping, page)  # invalidate_complete_page2
        if not freed or test_bit(page.PG_dirty):
            result = EBUSY
        else:
            delete_from_page_cache(mapping, page)
    unlock_page(page)
    put_page(page)
    return result


@kernel
def iomap_dio_rw(mapping: AddressSpace, index: u1) -> None:
    """fs/iomap.c: an O_DIRECT write of another part of the page: flush, invalidate, write to the
    disk, invalidate again. If the page stays both times, whoever reads it gets the part as it was,
    and its writeback will undo the write: dio_warn_stale_pagecache().

    Left out: the data. Nothing in the kernel looks whether the block that was looked up is still
    the file's when the write arrives: another file's data is overwritten if not.
    """
    down_write(mapping.i_rwsem)
    write_cache_pages(mapping, True)
    if invalidate_inode_pages2(mapping, index) != 0:
        if invalidate_inode_pages2(mapping, index) != 0:
            trace(Event.READ_STALE, cast(Page, 1))
    block = READ_ONCE(mapping.block[index])  # iomap_apply
    assert READ_ONCE(mapping.block[index]) == block
    up_write(mapping.i_rwsem)
