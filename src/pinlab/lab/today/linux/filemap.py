"""The page cache. mm/filemap.c, 7.2."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    down_read,
    kernel,
    mutex_lock,
    mutex_unlock,
    set_bit,
    spin_lock,
    spin_unlock,
    test_bit,
    trace,
    up_read,
)
from pinlab.lab.layout import OLD, TORN
from pinlab.lab.today.linux.buffer import try_to_free_buffers
from pinlab.lab.today.linux.mm import folio_get, folio_mapped, folio_put, folio_try_get
from pinlab.lab.today.linux.page_alloc import folio_alloc
from pinlab.lab.today.linux.types import AddressSpace, Folio, disk, folio_page
from pinlab.objectives.events import Event


@kernel
def filemap_get_folio(mapping: AddressSpace) -> Folio:
    """mm/filemap.c filemap_get_entry(): the folio with a reference, or NULL. Lockless, and so the
    cache is looked at again. Left out: values of shadows."""
    while True:
        folio = cast(Folio, READ_ONCE(mapping.i_pages))
        if folio == NULL:
            return folio
        if folio_try_get(folio):
            if READ_ONCE(mapping.i_pages) == folio:
                return folio
            folio_put(folio)


@kernel
def filemap_add_folio(mapping: AddressSpace, folio: Folio) -> bool:
    """mm/filemap.c filemap_add_folio(), __filemap_add_folio(): the folio is locked, in the cache
    with a reference, and on the LRU. False: another one is there (-EEXIST).

    A fresh folio is locked by one store, as nobody knows it. Left out: the LRU's per-CPU batches,
    which hold references for a while; memcg.
    """
    mutex_lock(folio.PG_locked)
    folio_get(folio)
    WRITE_ONCE(folio.mapping, mapping)
    spin_lock(mapping.xa_lock)
    if READ_ONCE(mapping.i_pages) != 0:
        spin_unlock(mapping.xa_lock)
        WRITE_ONCE(folio.mapping, NULL)
        folio_put(folio)
        mutex_unlock(folio.PG_locked)
        return False
    WRITE_ONCE(mapping.i_pages, folio)
    trace(Event.CACHE_ADD, folio)
    spin_unlock(mapping.xa_lock)
    set_bit(folio.PG_lru)
    return True


@kernel
def __filemap_remove_folio(mapping: AddressSpace, folio: Folio) -> None:
    """mm/filemap.c __filemap_remove_folio(), filemap_unaccount_folio(), page_cache_delete(); the
    xa_lock is held. Left out: shadows; a dirty folio's accounting."""
    assert not folio_mapped(folio)
    WRITE_ONCE(mapping.i_pages, 0)
    WRITE_ONCE(folio.mapping, NULL)
    trace(Event.CACHE_DEL, folio)


@kernel
def filemap_release_folio(mapping: AddressSpace, folio: Folio) -> bool:
    """mm/filemap.c filemap_release_folio(), fs/ext4/inode.c ext4_release_folio(): takes the buffers
    away, and takes no notice of references. Folio locked. Left out: the journal, which has no
    data of the file."""
    if not test_bit(folio.PG_private):
        return True
    if test_bit(folio.PG_writeback):
        return False
    return try_to_free_buffers(mapping, folio)


@kernel
def filemap_read_folio(mapping: AddressSpace) -> bool:
    """mm/filemap.c __filemap_get_folio_mpol(), filemap_read_folio(): with FGP_CREAT, what the disk
    has, in a fresh folio, which is unlocked when it is uptodate. False: no memory.

    The invalidate lock is held for reading. Left out: a folio that is seen before it is uptodate,
    as it is locked all that time.
    """
    folio = folio_alloc()
    if folio == NULL:
        return False
    if filemap_add_folio(mapping, folio):
        data = READ_ONCE(disk[1])
        if data == TORN:
            data = OLD
        page = folio_page(folio)
        WRITE_ONCE(page.data, data)
        mutex_unlock(folio.PG_locked)
    folio_put(folio)
    return True


@kernel
def filemap_fault(mapping: AddressSpace) -> Folio:
    """mm/filemap.c filemap_fault(): the folio, locked, with a reference; NULL: SIGBUS or no memory.

    Left out: readahead, and dropping the mmap lock to wait (VM_FAULT_RETRY), as the fault is then
    made again; page_not_uptodate, above.
    """
    locked = False
    if READ_ONCE(mapping.i_size) == 0:
        return cast(Folio, NULL)
    folio = cast(Folio, NULL)
    while folio == NULL:
        folio = filemap_get_folio(mapping)
        if folio == NULL:
            if not locked:
                down_read(mapping.invalidate_lock)
                locked = True
            if not filemap_read_folio(mapping):
                up_read(mapping.invalidate_lock)
                return cast(Folio, NULL)
        else:
            mutex_lock(folio.PG_locked)
            if READ_ONCE(folio.mapping) != mapping:
                mutex_unlock(folio.PG_locked)
                folio_put(folio)
                folio = cast(Folio, NULL)
                if not locked:
                    down_read(mapping.invalidate_lock)
                    locked = True
    if locked:
        up_read(mapping.invalidate_lock)
    if READ_ONCE(mapping.i_size) == 0:
        mutex_unlock(folio.PG_locked)
        folio_put(folio)
        return cast(Folio, NULL)
    return folio
