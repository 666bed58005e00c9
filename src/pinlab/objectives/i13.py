"""I13: soundness of the detector, judged over the whole time of a question.

A question is an interval, from `query` to its answer. "Not pinned" is right if the page was
unpinned at some instant in it, however short; it is wrong if at every instant some pin was
held, even if not the same one.

Answers do not say whose question they answer. While two questions about one page overlap,
"unpinned at some instant" is taken since the older one began, so that no right answer is called
wrong; a wrong one may then go unseen. Scenarios that rely on I13 have one asker per page, and a
question beyond two overlapping ones is not counted. A detector must answer every question.
"""

from __future__ import annotations

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.build import COUNTS, MANY, UNPINNED, fewer, more
from pinlab.objectives.events import Event

ASKERS = 2
"""Overlapping questions about one page that are kept apart."""


def _state(count: str, askers: int, gap: bool) -> str:
    """Unless nobody asks: was there an instant without a pin since the oldest question?"""
    if askers == 0:
        return count
    return f"{count}_asked_{askers}" + ("_gap" if gap else "")


def _build() -> Automaton:
    states: list[str] = []
    step: dict[tuple[str, Event], str] = {}
    bad: set[tuple[str, Event]] = set()
    saturated: set[str] = set()
    for count in COUNTS:
        for askers in range(ASKERS + 1):
            for gap in (False, True):
                if askers == 0 and gap:
                    continue  # nobody asks, so there is no gap to remember
                if askers > 0 and count == UNPINNED and not gap:
                    continue  # an unpinned instant is a gap by itself
                here = _state(count, askers, gap)
                states.append(here)
                pinned = more(count)
                unpinned = fewer(count)
                step[here, Event.PIN] = _state(pinned, askers, gap)
                step[here, Event.UNPIN] = _state(
                    unpinned, askers, askers > 0 and (gap or unpinned == UNPINNED)
                )
                asked = gap if askers else count == UNPINNED
                step[here, Event.QUERY] = _state(count, min(askers + 1, ASKERS), asked)
                answered = _state(count, max(askers - 1, 0), gap and askers > 1)
                step[here, Event.ANSWER_PINNED] = answered
                step[here, Event.ANSWER_UNPINNED] = answered
                if askers and not gap:
                    bad.add((here, Event.ANSWER_UNPINNED))
                if count == MANY:
                    saturated.add(here)
    return Automaton(
        name="I13",
        claim='the detector never answers "not pinned" while a pin was held all along',
        source="Kara, 3 Jan 2019: a few false positives are fine, no false negatives",
        states=tuple(states),
        step={pair: target for pair, target in step.items() if pair[0] != target},
        bad=frozenset(bad),
        saturated=frozenset(saturated),
    )


OBJECTIVE = _build()
