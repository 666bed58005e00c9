"""Reclaim. mm/vmscan.c, 7.2. Left out: NUMA, memcg, the multi-generational LRU's own scan."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    atomic_read,
    atomic_set,
    cmpxchg,
    kernel,
    mutex_trylock,
    mutex_unlock,
    set_bit,
    spin_lock,
    spin_unlock,
    test_and_clear_bit,
    test_bit,
)
from pinlab.lab.layout import FILE
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.filemap import __filemap_remove_folio, filemap_release_folio
from pinlab.lab.today.linux.mm import (
    folio_get,
    folio_mapped,
    folio_maybe_dma_pinned,
    folio_put,
    folio_try_get,
)
from pinlab.lab.today.linux.page_alloc import free_frozen_pages
from pinlab.lab.today.linux.rmap import try_to_unmap
from pinlab.lab.today.linux.swap import (
    __swap_cache_del_folio,
    folio_alloc_swap,
    swap_cluster_lock,
    swap_writeout,
)
from pinlab.lab.today.linux.types import AddressSpace, Folio


@kernel
def isolate_lru_folio(folio: Folio) -> bool:
    """mm/vmscan.c isolate_lru_folios(): off the LRU, with a reference; False: somebody else has it.
    Left out: the lock of the LRU, as PG_lru is taken and given by atomic operations."""
    if not folio_try_get(folio):
        return False
    if test_and_clear_bit(folio.PG_lru):
        return True
    folio_put(folio)
    return False


@kernel
def folio_isolate_lru(folio: Folio) -> bool:
    """mm/vmscan.c folio_isolate_lru(): the same for who has a reference already."""
    if not test_and_clear_bit(folio.PG_lru):
        return False
    folio_get(folio)
    return True


@kernel
def folio_putback_lru(folio: Folio) -> None:
    """mm/vmscan.c folio_putback_lru(): on the LRU again, without the reference of isolation."""
    set_bit(folio.PG_lru)
    folio_put(folio)


@kernel
def remove_swap_mapping(folio: Folio) -> bool:
    """mm/vmscan.c __remove_mapping() for the swap cache."""
    spin_lock(swap_cluster_lock)
    if cmpxchg(folio._refcount, 2, 0) != 2:
        spin_unlock(swap_cluster_lock)
        return False
    if test_bit(folio.PG_dirty):
        atomic_set(folio._refcount, 2)
        spin_unlock(swap_cluster_lock)
        return False
    __swap_cache_del_folio(folio)
    spin_unlock(swap_cluster_lock)
    return True


@kernel
def __remove_mapping(mapping: AddressSpace, folio: Folio) -> bool:
    """mm/vmscan.c __remove_mapping(): freezes the count if it is the cache's and the caller's, and
    takes the folio out of the cache unless it is dirty; the tests in this order. Folio locked.

    A pin that comes between is a count that differs, or finds a count of zero.
    """
    spin_lock(mapping.xa_lock)
    if cmpxchg(folio._refcount, 2, 0) != 2:
        spin_unlock(mapping.xa_lock)
        return False
    if test_bit(folio.PG_dirty):
        atomic_set(folio._refcount, 2)
        spin_unlock(mapping.xa_lock)
        return False
    __filemap_remove_folio(mapping, folio)
    spin_unlock(mapping.xa_lock)
    return True


@kernel
def reclaim_keeps(folio: Folio) -> bool:
    """mm/vmscan.c shrink_folio_list(), after the unmap: folio_maybe_dma_pinned() goes to
    activate_locked (d824ec2a1546). The unmap's own atomic operations order it behind them."""
    return folio_maybe_dma_pinned(folio)


@kernel
def reclaim_file_folio(folio: Folio) -> bool:
    """mm/vmscan.c shrink_folio_list() for an isolated, locked folio; whether it was taken out of
    the cache, its count frozen at zero.

    Left out: the accessed bit, as any folio may be old; demotion; waiting for writeback, as the
    folio is kept then; a folio that truncate has left with buffers, as it does not.
    """
    if test_bit(folio.PG_writeback):
        return False
    if folio_mapped(folio):
        try_to_unmap(folio)
        if folio_mapped(folio):
            return False
    if reclaim_keeps(folio):
        return False
    mapping: AddressSpace = READ_ONCE(folio.mapping)
    if test_bit(folio.PG_dirty):  # file folios are not written from here
        return False
    if test_bit(folio.PG_private):
        if not filemap_release_folio(cast(AddressSpace, FILE), folio):
            return False
    if mapping == NULL:
        return False
    return __remove_mapping(mapping, folio)


@kernel
def swap_keeps(folio: Folio) -> bool:
    """mm/vmscan.c shrink_folio_list(), before a slot is allocated: folio_maybe_dma_pinned() goes to
    keep_locked."""
    return folio_maybe_dma_pinned(folio)


@kernel
def pageout(folio: Folio) -> bool:
    """mm/vmscan.c pageout() and what follows it, for an anonymous folio: written to its slot, and
    locked again. False: it is kept, and not locked."""
    if atomic_read(folio._refcount) != 2:
        mutex_unlock(folio.PG_locked)
        return False
    if test_and_clear_bit(folio.PG_dirty):
        swap_writeout(folio)
        if test_bit(folio.PG_dirty):
            return False
        if not mutex_trylock(folio.PG_locked):
            return False
        if test_bit(folio.PG_dirty):
            mutex_unlock(folio.PG_locked)
            return False
    return True


@kernel
def reclaim_anon_folio(folio: Folio) -> bool:
    """mm/vmscan.c shrink_folio_list() for an anonymous folio, isolated and locked; it is unlocked
    afterwards. Whether it was taken out of the swap cache, its count frozen at zero. Left out:
    lazily freed folios."""
    keep = False
    if not test_bit(folio.PG_swapcache):
        keep = swap_keeps(folio)
        if not keep:
            keep = not folio_alloc_swap(folio)
        if not keep:
            folio_mark_dirty(folio)
    if not keep and folio_mapped(folio):
        try_to_unmap(folio)
        keep = folio_mapped(folio)
    if not keep:
        keep = reclaim_keeps(folio)
    if keep:
        mutex_unlock(folio.PG_locked)
        return False
    if test_bit(folio.PG_dirty):
        if not pageout(folio):
            return False
    taken = False
    if test_bit(folio.PG_swapcache):
        taken = remove_swap_mapping(folio)
    mutex_unlock(folio.PG_locked)
    return taken


@kernel
def shrink_folio_list(folio: Folio) -> None:
    """mm/vmscan.c shrink_inactive_list(), shrink_folio_list(), for one folio."""
    if not isolate_lru_folio(folio):
        return
    taken = False
    if mutex_trylock(folio.PG_locked):
        if test_bit(folio.PG_anon):
            taken = reclaim_anon_folio(folio)
        else:
            taken = reclaim_file_folio(folio)
            mutex_unlock(folio.PG_locked)
    if taken:
        free_frozen_pages(folio)
    else:
        folio_putback_lru(folio)


@kernel
def active_may_release(folio: Folio) -> bool:
    """mm/vmscan.c shrink_active_list(): folio_needs_release(), folio_trylock(), and no look at
    pins."""
    return test_bit(folio.PG_private)


@kernel
def shrink_active_list(folio: Folio) -> None:
    """mm/vmscan.c shrink_active_list() where buffer_heads_over_limit is true: takes the buffers of
    what goes to the inactive list. Left out: the accessed bit."""
    if not isolate_lru_folio(folio):
        return
    if active_may_release(folio):
        if mutex_trylock(folio.PG_locked):
            if test_bit(folio.PG_private):
                filemap_release_folio(cast(AddressSpace, FILE), folio)
            mutex_unlock(folio.PG_locked)
    folio_putback_lru(folio)
