"""Dirty folios. mm/page-writeback.c, 7.2."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    clear_bit,
    kernel,
    test_and_clear_bit,
    test_and_set_bit,
    test_bit,
    trace,
    wait_event,
)
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.rmap import folio_mkclean
from pinlab.lab.today.linux.types import Folio
from pinlab.objectives.events import Event


@kernel
def folio_clear_dirty_for_io(folio: Folio) -> bool:
    """mm/page-writeback.c folio_clear_dirty_for_io(): write-protect, clear PG_dirty. Folio locked.
    Asks nobody about pins. Left out: counters."""
    if READ_ONCE(folio.mapping) != NULL:
        if folio_mkclean(folio):
            folio_mark_dirty(folio)
    if test_and_clear_bit(folio.PG_dirty):
        trace(Event.CLEAN_FOR_IO, folio)
        return True
    return False


@kernel
def folio_start_writeback(folio: Folio) -> None:
    """mm/page-writeback.c __folio_start_writeback(). Left out: the tag and its xa_lock, as the flag
    is looked at."""
    assert not test_and_set_bit(folio.PG_writeback)


@kernel
def folio_end_writeback(folio: Folio) -> None:
    """mm/filemap.c folio_end_writeback()."""
    clear_bit(folio.PG_writeback)
    trace(Event.WRITEBACK_END, folio)


@kernel
def folio_wait_writeback(folio: Folio) -> None:
    """mm/page-writeback.c folio_wait_writeback()."""
    wait_event(not test_bit(folio.PG_writeback))
