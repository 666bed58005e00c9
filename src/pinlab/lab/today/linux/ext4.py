"""ext4, as a file system with buffers. fs/ext4/inode.c, fs/ext4/page-io.c, 7.2.

Delayed allocation, no journalled data, blocks of the size of a page. The device has checksums, so
that folios must be stable under writeback.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    clear_bit,
    down_read,
    kernel,
    mutex_lock,
    mutex_unlock,
    test_bit,
    trace,
    u3,
    up_read,
)
from pinlab.lab.layout import TORN
from pinlab.lab.today.linux.buffer import create_empty_buffers, folio_mark_dirty
from pinlab.lab.today.linux.filemap import filemap_get_folio
from pinlab.lab.today.linux.mm import folio_put
from pinlab.lab.today.linux.page_writeback import (
    folio_clear_dirty_for_io,
    folio_end_writeback,
    folio_start_writeback,
    folio_wait_writeback,
)
from pinlab.lab.today.linux.types import AddressSpace, Folio, disk, folio_page
from pinlab.objectives.events import Event


@kernel
def ext4_page_mkwrite(mapping: AddressSpace, folio: Folio) -> bool:
    """fs/ext4/inode.c ext4_page_mkwrite(), fs/buffer.c block_page_mkwrite(): the folio locked, with
    buffers, dirty, and not under writeback. False: it is not of the file any more (-EFAULT, which
    becomes VM_FAULT_NOPAGE). Left out: errors of allocation."""
    down_read(mapping.invalidate_lock)
    mutex_lock(folio.PG_locked)
    if READ_ONCE(folio.mapping) != mapping or READ_ONCE(mapping.i_size) == 0:
        mutex_unlock(folio.PG_locked)
        up_read(mapping.invalidate_lock)
        return False
    trace(Event.FAULT_MKWRITE, folio)
    if not test_bit(folio.PG_private):
        create_empty_buffers(mapping, folio)
    folio_mark_dirty(folio)
    folio_wait_writeback(folio)
    up_read(mapping.invalidate_lock)
    return True


@kernel
def ext4_bio_write_folio(folio: Folio) -> u3:
    """fs/ext4/page-io.c ext4_bio_write_folio(): clean buffers, writeback begins; folio locked.
    Returns the image that goes to the disk; TORN: no buffer is dirty, and nothing is sent. Left
    out: encryption, and so the image that is a copy's (io_folio)."""
    if not test_bit(folio.BH_Dirty):
        folio_start_writeback(folio)
        folio_end_writeback(folio)
        return TORN
    clear_bit(folio.BH_Dirty)
    folio_start_writeback(folio)
    page = folio_page(folio)
    image: u3 = READ_ONCE(page.data)
    trace(Event.WRITEBACK_START, folio)
    return image


@kernel
def mpage_submit_folio(folio: Folio) -> u3:
    """fs/ext4/inode.c mpage_submit_folio(): no look at what folio_clear_dirty_for_io() says."""
    folio_clear_dirty_for_io(folio)
    return ext4_bio_write_folio(folio)


@kernel
def ext4_end_bio(folio: Folio, image: u3) -> None:
    """fs/ext4/page-io.c ext4_end_bio(), ext4_finish_bio(): the disk has read the folio. If it
    changed since its checksum was taken it arrives torn.

    The writer carries its own I/O to the end here; the kernel does so in an interrupt or a worker,
    which PG_writeback alone makes visible.
    """
    page = folio_page(folio)
    data = image
    if READ_ONCE(page.data) != image:
        data = TORN
    WRITE_ONCE(disk[1], data)
    folio_end_writeback(folio)


@kernel
def ext4_writepages(mapping: AddressSpace, sync: bool) -> None:
    """fs/ext4/inode.c mpage_prepare_extent_to_map(), for one folio; with `sync`, as fsync calls it,
    it then waits for what others have sent (filemap_fdatawait_range()).

    Left out: tags, as PG_dirty is looked at under the folio lock; the extent, as there is one
    block, mapped.
    """
    folio = filemap_get_folio(mapping)
    if folio == NULL:
        return
    mutex_lock(folio.PG_locked)
    skip = READ_ONCE(folio.mapping) != mapping
    if not skip and not sync:
        skip = test_bit(folio.PG_writeback)
    if not skip:
        skip = not test_bit(folio.PG_dirty)
    if not skip:
        trace(Event.WRITEBACK_ATTEMPT, folio)
        folio_wait_writeback(folio)
        if not test_bit(folio.PG_private):  # ext4_warning_inode(): no buffers attached
            clear_bit(folio.PG_dirty)
            skip = True
    if skip:
        mutex_unlock(folio.PG_locked)
        if sync:
            folio_wait_writeback(folio)
    else:
        image = mpage_submit_folio(folio)
        mutex_unlock(folio.PG_locked)
        if image != TORN:
            ext4_end_bio(folio, image)
    folio_put(folio)
