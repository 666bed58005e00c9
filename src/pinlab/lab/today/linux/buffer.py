"""Buffers: the private data that ext4 keeps for a folio. fs/buffer.c, mm/page-writeback.c, 7.2."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    clear_bit,
    kernel,
    set_bit,
    spin_lock,
    spin_unlock,
    test_and_clear_bit,
    test_and_set_bit,
    test_bit,
    trace,
)
from pinlab.lab.today.linux.mm import folio_get, folio_put
from pinlab.lab.today.linux.types import AddressSpace, Folio
from pinlab.objectives.events import Event


@kernel
def block_dirty_folio(mapping: AddressSpace, folio: Folio) -> None:
    """fs/buffer.c block_dirty_folio(), behind ext4_dirty_folio(): all buffers and the folio.

    ext4_dirty_folio() warns of a folio without buffers and goes on; so does this, and I3 says so.
    Left out: __folio_mark_dirty()'s tag, as the flag is looked at under the folio lock; the inode.
    """
    spin_lock(mapping.i_private_lock)
    if test_bit(folio.PG_private):
        set_bit(folio.BH_Dirty)
    if not test_and_set_bit(folio.PG_dirty):
        trace(Event.DIRTY, folio)
    spin_unlock(mapping.i_private_lock)


@kernel
def folio_mark_dirty(folio: Folio) -> None:
    """mm/page-writeback.c folio_mark_dirty(). Without a mapping (anonymous, or truncated) the flag
    is all: noop_dirty_folio(), and what was stored goes nowhere. Left out: PG_reclaim."""
    mapping: AddressSpace = READ_ONCE(folio.mapping)
    if mapping == NULL:
        if not test_bit(folio.PG_dirty):
            set_bit(folio.PG_dirty)
    else:
        block_dirty_folio(mapping, folio)


@kernel
def create_empty_buffers(mapping: AddressSpace, folio: Folio) -> None:
    """fs/buffer.c create_empty_buffers(), include/linux/pagemap.h folio_attach_private(): they are
    dirty if the folio is, and hold a reference. Folio locked. Left out: uptodate, as is every
    folio here."""
    spin_lock(mapping.i_private_lock)
    if test_bit(folio.PG_dirty):
        set_bit(folio.BH_Dirty)
    folio_get(folio)
    set_bit(folio.PG_private)
    trace(Event.ATTACH_BUFFERS, folio)
    spin_unlock(mapping.i_private_lock)


@kernel
def folio_detach_private(folio: Folio) -> None:
    """include/linux/pagemap.h folio_detach_private()."""
    clear_bit(folio.PG_private)
    trace(Event.RELEASE_BUFFERS, folio)
    folio_put(folio)


@kernel
def try_to_free_buffers(mapping: AddressSpace, folio: Folio) -> bool:
    """fs/buffer.c try_to_free_buffers(), drop_buffers(): dirty ones are busy; without them the
    folio is clean (folio_cancel_dirty()). Folio locked. Left out: a folio that has no mapping any
    more, as its buffers went before; buffers locked or referenced by others, as writeback is
    waited for first."""
    if test_bit(folio.PG_writeback):
        return False
    assert test_bit(folio.PG_private)
    spin_lock(mapping.i_private_lock)
    if test_bit(folio.BH_Dirty):
        spin_unlock(mapping.i_private_lock)
        return False
    folio_detach_private(folio)
    if test_and_clear_bit(folio.PG_dirty):
        trace(Event.CLEAN_FOR_IO, folio)
    spin_unlock(mapping.i_private_lock)
    return True
