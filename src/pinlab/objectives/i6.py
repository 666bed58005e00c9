"""I6: isolation by copy-on-write."""

from __future__ import annotations

from pinlab.objectives.build import never
from pinlab.objectives.events import Event

OBJECTIVE = never(
    "I6",
    claim="after fork neither process sees what the other writes",
    source="CVE-2020-29374, Horn: vmsplice keeps a page that the parent reuses in place",
    forbidden=[Event.COW_LEAK],
)
