"""The scan of the active list leaves the buffers of pinned folios alone.

Reclaim asks for pins before it takes buffers away (d824ec2a1546); shrink_active_list(), which takes
them when there are too many, does not. Who unpins then dirties a folio without buffers.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, test_bit
from pinlab.lab.today.linux.mm import folio_maybe_dma_pinned
from pinlab.lab.today.linux.types import Folio


@kernel
def active_may_release(folio: Folio) -> bool:
    """mm/vmscan.c shrink_active_list(), and the question."""
    return test_bit(folio.PG_private) and not folio_maybe_dma_pinned(folio)
