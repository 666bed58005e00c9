"""I10: balance. Of a count that underflows or overflows the lab's own failures tell more.

From `many` on, pins are no longer counted, and an unpin there is never called one too many.
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.build import COUNTS, UNPINNED, while_pinned
from pinlab.objectives.events import Event

_COUNTED = while_pinned("I10", claim="", source="", forbidden=[])

OBJECTIVE = Automaton(
    name="I10",
    claim="counts balance: no pin is dropped twice, no count underflows or overflows",
    source="CVE-2019-11487 (8fde12ca79af); unpinning with put_page, v5.6 API split",
    states=COUNTS,
    step=_COUNTED.step,
    bad=frozenset({(UNPINNED, Event.UNPIN)}),
    saturated=_COUNTED.saturated,
)
