"""O2: the contract whose breach shows as the crash of [O2].

The file system was told (`fault_mkwrite`) since the page was last cleaned, or nobody may make
the page dirty. A page that has left the page cache belongs to no file system any more. I3 is
the nearby question whether the file system's buffers are there.

The page starts as untold: the file system was told of nothing. A stream that begins later in
the life of a page must be judged from the state that a snapshot gave (`judge(start=...)`).
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

OBJECTIVE = Automaton(
    name="O2",
    claim="no page is made dirty that the file system was not told of since it was cleaned",
    source="Glisse, 12 Dec 2018, [O2]; Chinner: page_mkwrite runs on the clean page first",
    states=("untold", "notified", "detached"),
    step={
        ("untold", Event.FAULT_MKWRITE): "notified",
        ("notified", Event.CLEAN_FOR_IO): "untold",
        ("untold", Event.CACHE_DEL): "detached",
        ("notified", Event.CACHE_DEL): "detached",
        ("detached", Event.CACHE_ADD): "untold",
    },
    bad=frozenset({("untold", Event.DIRTY)}),
)
