"""I13b: a false "pinned" may happen, but must not stay forever."""

from __future__ import annotations

from pinlab.objectives.events import Event
from pinlab.objectives.progress import Progress

OBJECTIVE = Progress(
    name="I13b",
    claim='the detector can always still come to answer "not pinned"',
    source="Glisse, 3 Jan 2019: the zombie GUP, a flag that nothing clears any more",
    event=Event.ANSWER_UNPINNED,
)
