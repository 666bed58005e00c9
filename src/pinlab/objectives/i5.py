"""I5: coherence of anonymous pages: what the device sees is what the owner sees."""

from __future__ import annotations

from pinlab.objectives.build import never
from pinlab.objectives.events import Event

OBJECTIVE = never(
    "I5",
    claim="an owner's address and its pin name one page until the owner unmaps it",
    source="Xu and Torvalds, 5.9: fork and copy-on-write against earlier pins (70e806e4e645)",
    forbidden=[Event.PIN_STALE],
)
