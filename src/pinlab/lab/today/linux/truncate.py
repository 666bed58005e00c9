"""Folios taken out of the page cache. mm/truncate.c, mm/filemap.c, 7.2."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_read,
    atomic_set,
    clear_bit,
    down_write,
    kernel,
    mutex_lock,
    mutex_trylock,
    mutex_unlock,
    spin_lock,
    spin_unlock,
    test_and_clear_bit,
    test_bit,
    trace,
    up_write,
)
from pinlab.lab.today.linux.ext4 import ext4_writepages
from pinlab.lab.today.linux.filemap import (
    __filemap_remove_folio,
    filemap_get_folio,
    filemap_release_folio,
)
from pinlab.lab.today.linux.memory import unmap_mapping_folio, unmap_mapping_pages
from pinlab.lab.today.linux.mm import folio_mapped, folio_put
from pinlab.lab.today.linux.page_writeback import folio_wait_writeback
from pinlab.lab.today.linux.types import AddressSpace, Folio
from pinlab.lab.today.linux.vmscan import __remove_mapping
from pinlab.objectives.events import Event


@kernel
def mapping_evict_folio(mapping: AddressSpace, folio: Folio) -> None:
    """mm/truncate.c mapping_evict_folio(), mm/vmscan.c remove_mapping(): takes what nobody uses.
    Folio locked; the caller has a reference."""
    if READ_ONCE(folio.mapping) == NULL:
        return
    if test_bit(folio.PG_dirty) or test_bit(folio.PG_writeback):
        return
    if atomic_read(folio._refcount) > 2 + test_bit(folio.PG_private):
        return
    if filemap_release_folio(mapping, folio) and __remove_mapping(mapping, folio):
        atomic_set(folio._refcount, 1)


@kernel
def invalidate_mapping_pages(mapping: AddressSpace) -> None:
    """mm/truncate.c mapping_try_invalidate(): POSIX_FADV_DONTNEED, drop_caches. A folio that is
    locked is left alone."""
    folio = filemap_get_folio(mapping)
    if folio == NULL:
        return
    if mutex_trylock(folio.PG_locked):
        mapping_evict_folio(mapping, folio)
        mutex_unlock(folio.PG_locked)
    folio_put(folio)


@kernel
def block_invalidate_folio(mapping: AddressSpace, folio: Folio) -> None:
    """fs/buffer.c block_invalidate_folio(), discard_buffer(): clean buffers, then none. Nobody has
    dirtied them again, as who does has the folio's lock or an entry that maps it."""
    clear_bit(folio.BH_Dirty)
    filemap_release_folio(mapping, folio)
    assert not test_bit(folio.PG_private)


@kernel
def truncate_cleanup_folio(mapping: AddressSpace, folio: Folio) -> None:
    """mm/truncate.c truncate_cleanup_folio(): no entry, no buffers, clean."""
    if folio_mapped(folio):
        unmap_mapping_folio(mapping, folio)
    if test_bit(folio.PG_private):
        block_invalidate_folio(mapping, folio)
    if test_and_clear_bit(folio.PG_dirty):  # folio_cancel_dirty()
        trace(Event.CLEAN_FOR_IO, folio)


@kernel
def truncate_inode_pages(mapping: AddressSpace) -> None:
    """mm/truncate.c truncate_inode_pages_range(), truncate_inode_folio(), mm/filemap.c
    filemap_remove_folio(): takes the folio out of the cache, whoever has a reference to it.

    Left out: the first round, which does the same without waiting; folios that are truncated in
    part.
    """
    folio = filemap_get_folio(mapping)
    if folio == NULL:
        return
    mutex_lock(folio.PG_locked)
    folio_wait_writeback(folio)
    if READ_ONCE(folio.mapping) == mapping:
        truncate_cleanup_folio(mapping, folio)
        spin_lock(mapping.xa_lock)
        __filemap_remove_folio(mapping, folio)
        spin_unlock(mapping.xa_lock)
        folio_put(folio)
    mutex_unlock(folio.PG_locked)
    folio_put(folio)


@kernel
def ext4_setattr(mapping: AddressSpace) -> None:
    """fs/ext4/inode.c ext4_setattr(), mm/truncate.c truncate_pagecache(): truncate(2) to nothing;
    i_size goes first. Left out: the blocks, which nobody else is given here."""
    down_write(mapping.i_rwsem)
    down_write(mapping.invalidate_lock)
    WRITE_ONCE(mapping.i_size, 0)
    unmap_mapping_pages(mapping, True)
    truncate_inode_pages(mapping)
    unmap_mapping_pages(mapping, True)
    up_write(mapping.invalidate_lock)
    up_write(mapping.i_rwsem)


@kernel
def folio_unmap_invalidate(mapping: AddressSpace, folio: Folio) -> bool:
    """mm/truncate.c folio_unmap_invalidate(): out of the cache unless it is dirty, and no look at
    references. False: -EBUSY. Folio locked, its writeback waited for. Left out: folio_launder(),
    as ext4 has no such operation."""
    if folio_mapped(folio):
        unmap_mapping_folio(mapping, folio)
    assert not folio_mapped(folio)
    if READ_ONCE(folio.mapping) != mapping:
        return False
    if not filemap_release_folio(mapping, folio):
        return False
    spin_lock(mapping.xa_lock)
    if test_bit(folio.PG_dirty):
        spin_unlock(mapping.xa_lock)
        return False
    assert not test_bit(folio.PG_private)
    __filemap_remove_folio(mapping, folio)
    spin_unlock(mapping.xa_lock)
    folio_put(folio)
    return True


@kernel
def invalidate_inode_pages2(mapping: AddressSpace) -> bool:
    """mm/truncate.c invalidate_inode_pages2_range(). False: -EBUSY."""
    folio = filemap_get_folio(mapping)
    if folio == NULL:
        return True
    if folio_mapped(folio):
        unmap_mapping_pages(mapping, False)
    done = True
    mutex_lock(folio.PG_locked)
    if READ_ONCE(folio.mapping) == mapping:
        folio_wait_writeback(folio)
        done = folio_unmap_invalidate(mapping, folio)
    mutex_unlock(folio.PG_locked)
    folio_put(folio)
    return done


@kernel
def direct_write(mapping: AddressSpace) -> None:
    """fs/iomap/direct-io.c __iomap_dio_rw(), an O_DIRECT write of another part of the page: flush,
    invalidate (kiocb_invalidate_pages()), write, invalidate again. If the folio stays the write is
    not direct (-ENOTBLK). Left out: what is written."""
    down_write(mapping.i_rwsem)
    ext4_writepages(mapping, True)
    if invalidate_inode_pages2(mapping):
        invalidate_inode_pages2(mapping)
    up_write(mapping.i_rwsem)
