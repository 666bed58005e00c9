"""Runs an automaton over the events of one page: recorded, live or from a counterexample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run over a stream came to.

    `state` is where the automaton stands, `seen` how many events it was given, `violations`
    the indexes (from 0) of the events that violate the objective, `doubtful` those from a
    saturated state, where the automaton counted no longer exactly. A judgement is also where
    the next batch goes on: `judge(automaton, batch, after=judgement)`.
    """

    objective: str
    state: str
    seen: int = 0
    violations: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()

    def verdict(self, bounds: str = "") -> Verdict:
        """The verdict on a stream without gaps."""
        bounds = bounds or f"{self.seen} events of one page"
        if self.violations:
            return Verdict.violated(self.violations[0] + 1, bounds, evidence=self.violations)
        if self.doubtful:
            missing = f"event {self.doubtful[0] + 1} came when pins were beyond counting"
            return Verdict.inconclusive(missing, bounds)
        return Verdict.holds(bounds)


def advance(automaton: Automaton, state: str, event: Event) -> tuple[str, bool]:
    """One step: the next state, and whether `event` violates the objective."""
    return automaton.step.get((state, event), state), (state, event) in automaton.bad


def judge(
    automaton: Automaton,
    events: Iterable[Event],
    *,
    start: str | None = None,
    after: Judgement | None = None,
) -> Judgement:
    """Run `automaton` over `events` of one page, to their end.

    It begins in its first state, in `start`, or where an earlier judgement ended. Raises
    ValueError if that is no state of this automaton.
    """
    before = after or Judgement(automaton.name, start or automaton.states[0])
    if before.objective != automaton.name or before.state not in automaton.states:
        raise ValueError(f"{automaton.name} cannot go on from {before.objective}:{before.state}")
    state, seen = before.state, before.seen
    violations, doubtful = list(before.violations), list(before.doubtful)
    for event in events:
        following, violated = advance(automaton, state, event)
        if violated:
            (doubtful if state in automaton.saturated else violations).append(seen)
        state = following
        seen += 1
    return Judgement(automaton.name, state, seen, tuple(violations), tuple(doubtful))
