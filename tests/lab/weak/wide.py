"""A program with more words than an integer has bits: store buffering of the first and the last."""

from __future__ import annotations

from typing import Annotated

from pinlab.lab import weak
from pinlab.lab.explore import choose
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import READ_ONCE, WRITE_ONCE, Range, array, kernel, u1
from pinlab.lab.language.program import Actor, System

WORDS = 130
many = array(WORDS, 0, 1)
seen = array(2, 0, 1, order="strong")


Place = Annotated[int, Range(0, WORDS - 1)]


@kernel
def store_load(mine: Place, other: Place, out: u1) -> None:
    WRITE_ONCE(many[mine], 1)
    WRITE_ONCE(seen[out], READ_ONCE(many[other]))


def possible(model: str) -> bool:
    """Whether both threads miss the other's store."""
    first, last = 0, WORDS - 1
    actors = (
        Actor("P0", "store_load", (first, last, 0)),
        Actor("P1", "store_load", (last, first, 1)),
    )
    it = weak.under(System(compile_program([store_load]), actors), model)
    found = choose.explore(it, audit=lambda at: ["seen"] if tuple(at["seen"]) == (0, 0) else [])
    assert not found.failures
    return bool(found.unbalanced)
