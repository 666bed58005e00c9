"""I4: no lost write. The model keeps versions of data and says when a reader gets an old one."""

from __future__ import annotations

from pinlab.objectives.build import never
from pinlab.objectives.events import Event

OBJECTIVE = never(
    "I4",
    claim="what is stored through a pin reaches whoever is owed it: file, page or reader",
    source="Kara on reclaim, 3 Jan 2018; Arcangeli's page_count_do_wp_page reproducers",
    forbidden=[Event.READ_STALE],
)
