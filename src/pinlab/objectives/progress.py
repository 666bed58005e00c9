"""An objective of the other kind: something that can always still happen."""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.objectives.events import Event


@dataclass(frozen=True, slots=True)
class Progress:
    """From every reachable state the goal can still come true.

    The goal is `event` (of any page) or, with `event` None, that every task has finished. Over
    a finite state space this is the same as "the goal comes true if every step that stays
    possible is taken some time". An event stream cannot judge it: a finite stream never shows
    that something will not happen.
    """

    name: str
    claim: str
    source: str
    event: Event | None = None
