"""The question that writeback does not ask in 7.2, for designs that do."""

from __future__ import annotations

from pinlab.lab.language.kernel import NULL, READ_ONCE, kernel, smp_mb, trace
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned
from pinlab.lab.today.linux.rmap import folio_mkclean
from pinlab.lab.today.linux.types import Folio
from pinlab.objectives.events import Event


@kernel
def pinned_after_mkclean(folio: Folio) -> bool:
    """The first half of mm/page-writeback.c folio_clear_dirty_for_io(), then the question. Folio
    locked.

    The order matters, as GUP-fast takes no folio lock: it raises the count and looks at the entry
    again. After the write-protection whoever has not raised it yet finds the entry changed, and
    faults; ->page_mkwrite() waits for the folio lock. Asked before, it may be told no and pinned
    the moment after. The barrier is for a folio that nobody maps any more: folio_mkclean() only
    reads then, and who unmapped it may have let a pin through before.
    """
    if READ_ONCE(folio.mapping) != NULL:
        if folio_mkclean(folio):
            folio_mark_dirty(folio)
    trace(Event.QUERY, folio)
    smp_mb()
    if folio_maybe_dma_pinned(folio):
        trace(Event.ANSWER_PINNED, folio)
        return True
    trace(Event.ANSWER_UNPINNED, folio)
    return False
