"""O1, called I2 in the invariants of the thread.

`wb_bounce` is no event of this objective: the image being written is then a copy, and a store
into the page does not touch it. The copy may be torn by a store while it is made, but it is
stable, which is what checksums, RAID and DIF ask for.
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

OBJECTIVE = Automaton(
    name="O1",
    claim="no device stores into a page while the page itself is being written back",
    source="Glisse, 12 Dec 2018, [O1]: avoid write back from a page still being written",
    states=("idle", "writing"),
    step={
        ("idle", Event.WRITEBACK_START): "writing",
        ("writing", Event.WRITEBACK_END): "idle",
    },
    bad=frozenset({("writing", Event.DEV_STORE)}),
)
