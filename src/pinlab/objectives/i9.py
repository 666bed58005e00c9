"""I9: safety of GUP-fast's walk."""

from __future__ import annotations

from pinlab.objectives.build import never
from pinlab.objectives.events import Event

OBJECTIVE = never(
    "I9",
    claim="a lockless walk never reads a page table that was freed",
    source="2ba99c5e0881, Horn: page tables freed without an interrupt to GUP-fast",
    forbidden=[Event.WALK_FREED],
)
