"""One cup, counted; who washes up asks the count, or does not."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    Struct,
    atomic_dec_and_test,
    atomic_inc_not_zero,
    bounded,
    hook,
    kernel,
    refcount,
    trace,
)
from pinlab.objectives.events import Event


class Cup(Struct, count=1):
    """What is counted, and how much is in it."""

    users = refcount(3)
    level = bounded(0, 3)


@kernel
def put(cup: Cup) -> None:
    """The last user washes up."""
    if atomic_dec_and_test(cup.users):
        trace(Event.PAGE_FREE, cup)


@hook
def take(cup: Cup) -> bool:
    """One user more, if there is one yet."""
    return atomic_inc_not_zero(cup.users)


@kernel
def drink(cup: Cup) -> None:
    """Look into it, take it, have a sip, put it back."""
    level = READ_ONCE(cup.level)
    if take(cup):
        trace(Event.PIN, cup)
        if level > 0:
            WRITE_ONCE(cup.level, level - 1)
        trace(Event.UNPIN, cup)
        put(cup)


@kernel
def leave(cup: Cup) -> None:
    """The host goes."""
    put(cup)
