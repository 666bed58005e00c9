"""An objective of the thread as a deterministic automaton over named events of one page.

The same automaton judges a state space (the lab runs it beside the model, one instance per
page) and an event stream of a running kernel. It knows neither: it is a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinlab.objectives.events import Event


@dataclass(frozen=True, slots=True)
class Automaton:
    """A deterministic automaton with violating transitions.

    `states[0]` is initial. `step` maps (state, event) to the next state; a pair that is not
    in it leaves the state as it is. `bad` is the set of (state, event) pairs that violate the
    objective; after one the automaton goes on from `step`, so that a stream can be judged to
    its end. `claim` is the objective in one English line, `source` its citation. In a
    `saturated` state the automaton has stopped counting exactly, erring so that nothing bad is
    missed: a violation from there may be a false alarm.
    """

    name: str
    claim: str
    source: str
    states: tuple[str, ...]
    step: Mapping[tuple[str, Event], str]
    bad: frozenset[tuple[str, Event]]
    saturated: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for (state, event), target in self.step.items():
            for name in (state, target):
                if name not in self.states:
                    raise ValueError(f"{self.name}: {name!r} ({event}) is not a state")
        for state, event in self.bad:
            if state not in self.states:
                raise ValueError(f"{self.name}: {state!r} ({event}) is not a state")
        if not self.saturated <= set(self.states):
            raise ValueError(f"{self.name}: {self.saturated} are not all states")

    def table(self, event: str) -> tuple[tuple[int, bool], ...]:
        """For each state, by number: (number of the next state, is this a violation?)."""
        number = {state: i for i, state in enumerate(self.states)}
        return tuple(
            (
                number[self.step.get((state, Event(event)), state)],
                (state, Event(event)) in self.bad,
            )
            for state in self.states
        )

    def listens_to(self, event: str) -> bool:
        """Whether `event` can change this automaton's state or violate it."""
        return any(e == event for _, e in self.bad) or any(
            e == event and state != target for (state, e), target in self.step.items()
        )
