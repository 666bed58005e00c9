"""The worlds there are."""

from __future__ import annotations

import pinlab.lab.designs
import pinlab.lab.linux
from pinlab.lab.books import books
from pinlab.lab.linux.types import Page, show
from pinlab.lab.scenarios import scenario
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.words import STATES, WORDS, state
from pinlab.lab.world import World

LINUX_4_20 = World(
    "4.20",
    pinlab.lab.linux,
    Page,
    scenario.load,
    designs=pinlab.lab.designs,
    empty="untracked",
    operations=OPERATIONS,
    words=WORDS,
    states=STATES,
    state=state,
    books=books,
    pinning=frozenset({"grab_page", "grab_page_fast", "release_page", "put_page"}),
    together={
        "grab_page_fast": (
            "undo_grab",
            "define what GUP-fast drops when its second look at the entry fails, all that was "
            "taken",
        )
    },
    walks=frozenset({"Vma.pte"}),
    show=show,
)

WORLDS: dict[str, World] = {LINUX_4_20.name: LINUX_4_20}

DEFAULT = LINUX_4_20
"""The world that is meant where none is named."""
