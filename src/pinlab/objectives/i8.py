"""I8: the mechanism behind O3. A DAX page is its block, so a freed block is a freed page."""

from __future__ import annotations

from pinlab.objectives.build import while_pinned
from pinlab.objectives.events import Event

OBJECTIVE = while_pinned(
    "I8",
    claim="no DAX block is freed while its page is pinned",
    source="Williams, 5fac7408d828 and dax_layout_busy_page, 4.18",
    forbidden=[Event.BLOCK_FREE],
)
