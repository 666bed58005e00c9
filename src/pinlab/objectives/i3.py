"""I3: dirty implies that the file system's private data is there; O2's crash exactly.

A page of which no buffers were ever seen is not judged: a file system need not have any.
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

OBJECTIVE = Automaton(
    name="I3",
    claim="no page is made dirty after the file system released its buffers",
    source="Kara, 3 Jan 2018, 20180103100430.GE4911: BUG_ON(!PagePrivate) in ext4_writepage",
    states=("untold", "attached", "released"),
    step={
        ("untold", Event.ATTACH_BUFFERS): "attached",
        ("untold", Event.RELEASE_BUFFERS): "released",
        ("attached", Event.RELEASE_BUFFERS): "released",
        ("released", Event.ATTACH_BUFFERS): "attached",
        ("attached", Event.CACHE_DEL): "untold",
        ("released", Event.CACHE_DEL): "untold",
    },
    bad=frozenset({("released", Event.DIRTY)}),
)
