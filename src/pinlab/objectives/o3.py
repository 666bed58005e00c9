"""O3: what users lose. I8 is the step before it: the block is freed while pinned.

The block events of a page are those of DAX, where the page is the block.
"""

from __future__ import annotations

from pinlab.objectives.build import while_pinned
from pinlab.objectives.events import Event

OBJECTIVE = while_pinned(
    "O3",
    claim="no DAX block gets a new owner while its page is pinned",
    source="Glisse, 12 Dec 2018, [O3]: the file system must not reuse a pinned block",
    forbidden=[Event.BLOCK_REUSE],
)
