"""The worlds there are."""

from __future__ import annotations

import pinlab.lab.designs
import pinlab.lab.linux
import pinlab.lab.today.designs
import pinlab.lab.today.linux
from pinlab.errors import UsageError
from pinlab.lab.books import books
from pinlab.lab.linux.types import Page, show
from pinlab.lab.scenarios import scenario
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.words import STATES, WORDS, state
from pinlab.lab.today import operations, scenarios, words
from pinlab.lab.today.books import books as today_books
from pinlab.lab.today.linux import types
from pinlab.lab.world import World
from pinlab.nearest import nearest

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

LINUX_7_2 = World(
    "7.2",
    pinlab.lab.today.linux,
    types.Folio,
    lambda: scenarios.SCENARIOS,
    designs=pinlab.lab.today.designs,
    empty="mainline",
    operations=operations.OPERATIONS,
    words=words.WORDS,
    states=words.STATES,
    state=words.state,
    books=today_books,
    walks=frozenset({"Vma.pte"}),
    show=types.show,
)

WORLDS: dict[str, World] = {it.name: it for it in (LINUX_4_20, LINUX_7_2)}

DEFAULT = LINUX_4_20
"""The world that is meant where none is named."""


def load(name: str | None) -> World:
    """A world by name; None is the default one. Raises UsageError."""
    if name is None:
        return DEFAULT
    if name not in WORLDS:
        raise UsageError(f"there is no world {name!r}: {nearest(name, WORLDS)}")
    return WORLDS[name]


def listing(kind: str, world: World) -> str:
    """The command that lists what a world has: designs, states, operations."""
    return f"pinlab list {kind}" + ("" if world is DEFAULT else f" --world {world.name}")
