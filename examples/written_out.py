"""written-out: an objective of one's own: a page that is being written stays in its file.

No scenario here names it, so all that have a line which can break it judge it.
`pinlab check bounce+./written_out.py -O written-out`, `pinlab draw written-out ./written_out.py`
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

WRITTEN_OUT = Automaton(
    name="written-out",
    claim="no page leaves its file while it is being written back",
    source="mm/truncate.c, 4.20: wait_on_page_writeback() in truncate_inode_pages_range()",
    states=("idle", "written"),
    step={("idle", Event.WRITEBACK_START): "written", ("written", Event.WRITEBACK_END): "idle"},
    bad=frozenset({("written", Event.CACHE_DEL)}),
)
