"""A swap device of one slot, and the swap cache. mm/swapfile.c, mm/swap_state.c, mm/page_io.c, 7.2.

The slot's count is that of the entries that name it; the folio in the swap cache has a reference.
Writing is at once, as zswap has it. Left out: clusters, readahead, a full device.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    bounded,
    clear_bit,
    flag,
    kernel,
    mutex_lock,
    mutex_trylock,
    mutex_unlock,
    set_bit,
    spin_lock,
    spin_unlock,
    spinlock,
    test_bit,
)
from pinlab.lab.layout import DEVICE_DATA, OLD
from pinlab.lab.today.linux.mm import folio_get, folio_mapped, folio_put, folio_try_get
from pinlab.lab.today.linux.types import PAGES, Folio, folio_page

swap_data = bounded(OLD, DEVICE_DATA, order="strong")
swap_count = bounded(0, 3)
swap_cache = bounded(0, PAGES)
swap_used = flag()
swap_cluster_lock = spinlock()


@kernel
def folio_alloc_swap(folio: Folio) -> bool:
    """mm/swapfile.c folio_alloc_swap(), mm/swap_state.c __swap_cache_add_folio(): a slot, and the
    folio in the swap cache. Folio locked. False: -ENOMEM."""
    spin_lock(swap_cluster_lock)
    free = not test_bit(swap_used)
    if free:
        set_bit(swap_used)
        folio_get(folio)
        set_bit(folio.PG_swapcache)
        WRITE_ONCE(swap_cache, folio)
    spin_unlock(swap_cluster_lock)
    return free


@kernel
def __swap_cache_del_folio(folio: Folio) -> None:
    """mm/swap_state.c __swap_cache_del_folio(): the cluster lock is held. A slot that no entry
    names is free then."""
    clear_bit(folio.PG_swapcache)
    WRITE_ONCE(swap_cache, 0)
    if READ_ONCE(swap_count) == 0:
        clear_bit(swap_used)


@kernel
def folio_free_swap(folio: Folio) -> bool:
    """mm/swapfile.c folio_free_swap(), folio_swapcache_freeable(), mm/swap_state.c
    swap_cache_del_folio(): out of the swap cache if no entry names the slot; dirty, as the only
    copy. Folio locked."""
    if not test_bit(folio.PG_swapcache) or test_bit(folio.PG_writeback):
        return False
    spin_lock(swap_cluster_lock)
    freed = READ_ONCE(swap_count) == 0
    if freed:
        __swap_cache_del_folio(folio)
    spin_unlock(swap_cluster_lock)
    if freed:
        folio_put(folio)
        set_bit(folio.PG_dirty)
    return bool(freed)


@kernel
def free_swap_cache(folio: Folio) -> None:
    """mm/swap_state.c free_swap_cache(): who drops a page tries; a lock that is taken ends it."""
    if test_bit(folio.PG_swapcache) and not folio_mapped(folio):
        if mutex_trylock(folio.PG_locked):
            folio_free_swap(folio)
            mutex_unlock(folio.PG_locked)


@kernel
def swap_dup_entry() -> None:
    """mm/swapfile.c folio_dup_swap(), swap_dup_entry_direct(): one more entry names the slot."""
    spin_lock(swap_cluster_lock)
    WRITE_ONCE(swap_count, READ_ONCE(swap_count) + 1)
    spin_unlock(swap_cluster_lock)


@kernel
def swap_put_entry() -> None:
    """mm/swapfile.c folio_put_swap(), swap_put_entries_direct(): one less. Left out:
    __try_to_reclaim_swap(), by which a folio that nobody maps may leave the cache at once."""
    spin_lock(swap_cluster_lock)
    assert READ_ONCE(swap_count) > 0
    WRITE_ONCE(swap_count, READ_ONCE(swap_count) - 1)
    if READ_ONCE(swap_count) == 0 and READ_ONCE(swap_cache) == 0:
        clear_bit(swap_used)
    spin_unlock(swap_cluster_lock)


@kernel
def swap_cache_get_folio() -> Folio:
    """mm/swap_state.c swap_cache_get_folio(): lockless, with a reference; NULL: it is not there.
    Who asks looks at the folio again when it has locked it."""
    while True:
        folio = cast(Folio, READ_ONCE(swap_cache))
        if folio == NULL:
            return folio
        if folio_try_get(folio):
            return folio


@kernel
def swapin_sync(folio: Folio) -> bool:
    """mm/swap_state.c swapin_sync(), swap_cache_alloc_folio(): reads the slot into a fresh folio in
    the swap cache, unlocked, with the caller's reference. False: the slot is not as it was, the
    folio is gone, and who faults looks again."""
    mutex_lock(folio.PG_locked)
    spin_lock(swap_cluster_lock)
    lost = READ_ONCE(swap_cache) != 0 or READ_ONCE(swap_count) == 0
    if not lost:
        folio_get(folio)
        set_bit(folio.PG_swapcache)
        WRITE_ONCE(swap_cache, folio)
    spin_unlock(swap_cluster_lock)
    if lost:
        mutex_unlock(folio.PG_locked)
        folio_put(folio)
        return False
    page = folio_page(folio)
    WRITE_ONCE(page.data, READ_ONCE(swap_data))
    set_bit(folio.PG_lru)
    mutex_unlock(folio.PG_locked)
    return True


@kernel
def swap_writeout(folio: Folio) -> None:
    """mm/page_io.c swap_writeout() with zswap: what the folio has goes to the slot, unless no entry
    names it any more. Folio locked, and is not afterwards."""
    if not folio_free_swap(folio):
        page = folio_page(folio)
        WRITE_ONCE(swap_data, READ_ONCE(page.data))
    mutex_unlock(folio.PG_locked)
