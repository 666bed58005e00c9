"""What one combination breaks, or what it breaks that another design does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pinlab.errors import UsageError
from pinlab.lab import build, ledger
from pinlab.lab.design import Design
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.orders import orders
from pinlab.lab.results import Broken
from pinlab.lab.scenarios.operation import Played, combined
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario
from pinlab.lab.scenarios.state import State
from pinlab.lab.sweep.combination import (
    Asked,
    Combination,
    Key,
    Task,
    fewer,
    is_wanted,
    key,
    names_of,
)
from pinlab.lab.verdicts import FAILURE, FINAL
from pinlab.objectives.balance import Balance
from pinlab.objectives.failures import FAILURES
from pinlab.objectives.progress import Progress

Known = Mapping[Key, frozenset[str]]
"""The objectives that combinations break, those that fewer of them break included."""


@dataclass(slots=True)
class Found:
    """What one process found in some combinations."""

    broken: list[Broken] = field(default_factory=list)
    explored: int = 0
    states: int = 0
    cut_off: list[str] = field(default_factory=list)
    unplayed: int = 0
    """In which some operation never came to its goal."""
    restless: int = 0
    """In which nobody ever finished."""
    failed: dict[str, int] = field(default_factory=dict)
    """Failures that end a run where a kernel would go on: how often."""
    done: int = 0
    """Combinations; each may have several orders."""
    fewer: int = 0
    """Objectives that were not asked, as fewer of the operations break them."""

    def add(self, more: Found) -> None:
        """Put in what was found in others."""
        self.broken += more.broken
        self.explored += more.explored
        self.states += more.states
        self.cut_off += more.cut_off
        self.unplayed += more.unplayed
        self.restless += more.restless
        self.fewer += more.fewer
        self.done += more.done
        for kind, times in more.failed.items():
            self.failed[kind] = self.failed.get(kind, 0) + times


def inherited(chosen: Combination, at: State, known: Known) -> frozenset[str]:
    """The objectives that one operation less breaks, by who breaks what."""
    return frozenset().union(*(known.get(key(each, at), frozenset()) for each in fewer(chosen)))


class Asker:
    """Explores combinations for a design, one after the other."""

    def __init__(
        self,
        design: Design,
        keys: Mapping[str, int],
        limits: Limits | None,
        known: Known,
        wanted: Asked,
    ) -> None:
        self.design = design
        self.wanted = wanted
        self.keys = keys
        self.limits = limits
        self.broken_by = known
        program = build.program(design)
        self.known = build.objectives_of(design)
        self.nodes: dict[str, set[int]] = {}
        for number, node in enumerate(program.nodes):
            self.nodes.setdefault(node.function, set()).add(number)

    def ask(self, chosen: Combination, at: State, into: Found) -> None:
        """Explore one combination. Of one that was not asked for, only what it breaks counts."""
        if is_wanted(names_of(chosen), at.name, self.wanted):
            self._ask(chosen, at, into)
            return
        aside = Found()
        self._ask(chosen, at, aside)
        into.broken += aside.broken

    def _ask(self, chosen: Combination, at: State, into: Found) -> None:
        scenario = self.scenario(chosen, at)
        known = inherited(chosen, at, self.broken_by)
        into.fewer += len(known)
        try:
            played_in = list(orders(self.design, scenario))
        except UsageError:  # more than are explored
            into.cut_off.append(scenario.name)
            return
        for ordered in played_in:
            found, rests = self.explored(ordered)
            into.explored += 1
            into.restless += not rests
            into.states += found.states
            if not found.complete:
                into.cut_off.append(ordered.name)
            if not all(self._is_played(each, found) for each in chosen):
                into.unplayed += 1
            for objective, how, steps in self._broken(found):
                if objective not in known:
                    into.broken.append(
                        Broken(
                            self.design.name,
                            objective,
                            tuple(each.name for each in chosen),
                            at.name,
                            ordered.name,
                            how,
                            steps,
                            found.states,
                        )
                    )
            for hit in found.hits:
                kind = hit.removeprefix(FAILURE)
                if kind != hit and kind not in FINAL:
                    into.failed[kind] = into.failed.get(kind, 0) + 1

    def scenario(self, chosen: Combination, at: State) -> Scenario:
        """The combination as a scenario, which judges all that it can be asked."""
        asks = {name for each in chosen for name in each.operation.asks}
        goes_on = any(each.operation.goes_on for each in chosen)
        return combined(
            chosen,
            at,
            (
                name
                for name, it in self.known.items()
                if not (isinstance(it, Progress) and it.event is not None and name not in asks)
                if not (isinstance(it, Balance) and (goes_on or self.design.world.books is None))
            ),
        )

    def explored(
        self, scenario: Scenario, explore: Callable[..., Exploration] = ledger.explore
    ) -> tuple[Exploration, bool]:
        """All that it can do, and whether what is asked of states at rest was asked of any."""
        audit = build.audit(self.design, scenario, scenario.judges)
        found = explore(
            build.system(self.design, scenario, self.keys),
            self.limits,
            build.progress(self.design, scenario),
            audit=audit,
        )
        return found, audit is None or audit.was_asked

    def _is_played(self, each: Played, found: Exploration) -> bool:
        goal = each.operation.goal
        assert isinstance(goal, ReachFunction)
        return not found.covered.isdisjoint(self.nodes.get(goal.function, ()))

    def _broken(self, found: Exploration) -> Iterator[tuple[str, str, int]]:
        """The objectives that the exploration broke, how, and in how many steps."""
        for name, path in found.hits.items():
            if name in self.known:
                yield name, "", len(path)
        for (kind, about), path in found.failures.items():
            yield FAILURES[kind], f"{kind}: {about}" if about else kind, len(path)
        for name, path in found.stuck.items():
            yield name, "it can never come true from there on", len(path)
        for what, path in found.unbalanced.items():
            balance = next(n for n, it in self.known.items() if isinstance(it, Balance))
            yield balance, what, len(path)


class Beyond(Asker):
    """Of what a combination breaks, only what it does not break in another design: nothing, if
    that was cut off."""

    def __init__(self, asker: Asker, base: Asker) -> None:
        super().__init__(asker.design, asker.keys, asker.limits, asker.broken_by, asker.wanted)
        self.base = base

    def ask(self, chosen: Combination, at: State, into: Found) -> None:
        """Explore one combination, and in the other design too if it breaks something."""
        mine, before = Found(), Found()
        super().ask(chosen, at, mine)
        if mine.broken:
            self.base.ask(chosen, at, before)
        known = {it.objective for it in before.broken}
        mine.broken = [it for it in mine.broken if it.objective not in known]
        if mine.broken and before.cut_off:
            mine.broken = []
            mine.cut_off += before.cut_off
        into.add(mine)


@dataclass(frozen=True, slots=True)
class Work:
    """Combinations, and who asks them."""

    asker: Asker
    todo: Sequence[Task]

    def done(self, numbers: range) -> Found:
        """What is found in some of them."""
        found = Found()
        for number in numbers:
            self.asker.ask(*self.todo[number], found)
        found.done = len(numbers)
        return found
