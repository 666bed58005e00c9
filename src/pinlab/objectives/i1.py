"""I1: the first thing any pin must give."""

from __future__ import annotations

from pinlab.objectives.build import while_pinned
from pinlab.objectives.events import Event

OBJECTIVE = while_pinned(
    "I1",
    claim="no page goes back to the allocator while it is pinned",
    source="Glisse on the fake vma, 8 Dec 2018: a zombie page, mapped with no reference left",
    forbidden=[Event.PAGE_FREE],
)
