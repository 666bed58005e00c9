"""The question that writeback does not ask in 7.2, for designs that do."""

from __future__ import annotations

from pinlab.lab.language.kernel import NULL, READ_ONCE, kernel, smp_mb, test_and_clear_bit, trace
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned
from pinlab.lab.today.linux.rmap import folio_mkclean
from pinlab.lab.today.linux.types import Folio
from pinlab.objectives.events import Event


@kernel
def clear_dirty_unless_pinned(folio: Folio) -> bool:
    """mm/page-writeback.c folio_clear_dirty_for_io(), and the question between its halves. Folio
    locked. False: it may be pinned, and stays dirty.

    GUP-fast takes no folio lock: it raises the count and looks at the entry again. Once the entries
    are write-protected, who has not raised it yet finds that they changed, and faults, and
    ->page_mkwrite() waits for the folio lock. Asked before that, a folio may be pinned the moment
    after the answer, as if nobody had asked.

    folio_mkclean() orders the question behind the entries that it changes. Of a folio that somebody
    else has just unmapped it changes none, and only looks at the mapcount: the barrier is for that
    one. Without it arm64 may answer with the count of before a pin that came by the old entry.
    """
    if READ_ONCE(folio.mapping) != NULL:
        if folio_mkclean(folio):
            folio_mark_dirty(folio)
    trace(Event.QUERY, folio)
    smp_mb()
    if folio_maybe_dma_pinned(folio):
        trace(Event.ANSWER_PINNED, folio)
        return False
    trace(Event.ANSWER_UNPINNED, folio)
    if test_and_clear_bit(folio.PG_dirty):
        trace(Event.CLEAN_FOR_IO, folio)
        return True
    return False
