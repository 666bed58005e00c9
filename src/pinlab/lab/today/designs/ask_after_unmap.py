"""Invalidation asks for pins when nothing maps the folio any more, and leaves a pinned one.

folio_unmap_invalidate() takes no notice of references: a direct write throws a folio out of the
page cache that a device is about to store into, and what it stores is of no file then. After the
unmap no new pin can come from this page table, so the question is asked then; the direct write goes
through the page cache, as it does for a dirty folio.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import READ_ONCE, kernel, spin_lock, spin_unlock, test_bit
from pinlab.lab.today.linux.filemap import __filemap_remove_folio, filemap_release_folio
from pinlab.lab.today.linux.memory import unmap_mapping_folio
from pinlab.lab.today.linux.mm import folio_mapped, folio_maybe_dma_pinned, folio_put
from pinlab.lab.today.linux.types import AddressSpace, Folio


@kernel
def folio_unmap_invalidate(mapping: AddressSpace, folio: Folio) -> bool:
    """mm/truncate.c folio_unmap_invalidate(), and the question."""
    if folio_mapped(folio):
        unmap_mapping_folio(mapping, folio)
    assert not folio_mapped(folio)
    if READ_ONCE(folio.mapping) != mapping:
        return False
    if folio_maybe_dma_pinned(folio):
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
