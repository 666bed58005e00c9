"""I11: placement of long-term pins; of the forbidden places the 4.20 world has DAX."""

from __future__ import annotations

from pinlab.objectives.build import never
from pinlab.objectives.events import Event

OBJECTIVE = never(
    "I11",
    claim="no long-term pin is given on a DAX page",
    source="get_user_pages_longterm, 4.15; Williams, 12 Dec 2018: an emergency hack",
    forbidden=[Event.PIN_LONGTERM_DAX],
)
