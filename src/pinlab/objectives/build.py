"""Helpers that build automata: counted pins, forbidden events, goals.

A pin count is kept exactly up to `PINS`. One pin more leads to the state `many`, which no
`unpin` leaves: from then on the page counts as pinned. That errs to one side only. A verdict
*holds* stays sound; a violation from `many` may be a false alarm, so `many` is listed in
`Automaton.saturated` and `judge` calls such a violation inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterable

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

PINS = 3
"""Pins of one page that are counted exactly."""

UNPINNED = "unpinned"
MANY = "many"
COUNTS = (UNPINNED, *(f"pinned_{n}" for n in range(1, PINS + 1)), MANY)
"""The pin counts as names of states: unpinned, pinned_1, pinned_2, pinned_3, many."""


def more(count: str) -> str:
    """The count after a pin."""
    return COUNTS[min(COUNTS.index(count) + 1, len(COUNTS) - 1)]


def fewer(count: str) -> str:
    """The count after an unpin."""
    return count if count in (UNPINNED, MANY) else COUNTS[COUNTS.index(count) - 1]


def while_pinned(name: str, claim: str, source: str, forbidden: Iterable[Event]) -> Automaton:
    """None of `forbidden` may happen to a page that is pinned."""
    step = {(count, Event.PIN): more(count) for count in COUNTS if count != MANY}
    step |= {(count, Event.UNPIN): fewer(count) for count in COUNTS[1:] if count != MANY}
    return Automaton(
        name,
        claim,
        source,
        states=COUNTS,
        step=step,
        bad=frozenset((count, event) for count in COUNTS[1:] for event in forbidden),
        saturated=frozenset({MANY}),
    )


def never(name: str, claim: str, source: str, forbidden: Iterable[Event]) -> Automaton:
    """None of `forbidden` may ever happen: the model says itself what went wrong."""
    return Automaton(
        name,
        claim,
        source,
        states=("fine",),
        step={},
        bad=frozenset(("fine", event) for event in forbidden),
    )


def sequence(name: str, events: Iterable[Event], broken_by: Iterable[Event] = ()) -> Automaton:
    """A goal: `events` happen in this order; one of `broken_by` starts it over.

    The pair in `bad` marks the goal being reached, which is good news here. Events that are
    not named may come in between. After it is reached the goal can be reached again by a
    repetition of the last event.
    """
    wanted = tuple(events)
    if not wanted:
        raise ValueError(f"goal {name}: no events")
    states = tuple(f"seen_{n}" for n in range(len(wanted)))
    step = {(states[n], wanted[n]): states[n + 1] for n in range(len(wanted) - 1)}
    for n, state in enumerate(states[1:], start=1):
        for event in broken_by:
            if event != wanted[n]:
                step[state, event] = states[0]
    return Automaton(
        name,
        "reached: " + ", then ".join(wanted),
        "a scenario's goal",
        states=states,
        step=step,
        bad=frozenset({(states[-1], wanted[-1])}),
    )
