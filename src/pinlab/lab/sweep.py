"""Every combination of operations, from every state, under every objective.

What is answered is the smallest combination that breaks each objective. A combination is asked only
for what no fewer of its operations break in that state. The two processes are not taken for
each other: a walk over the mappings of a page comes to the first one's first.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from typing import Final

from pinlab.errors import UsageError
from pinlab.lab import build, ledger, worlds
from pinlab.lab.cluster import Cluster, Lost
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, machine, room
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.orders import orders
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Broken, Estimate, First, OnSweep, Swept, Wanted
from pinlab.lab.scenarios.operation import Operation, Played, combined, played, refusal
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario
from pinlab.lab.scenarios.state import State
from pinlab.lab.sent import Sent, received
from pinlab.lab.verdicts import FAILURE, FINAL
from pinlab.lab.world import World
from pinlab.nearest import nearest
from pinlab.objectives.balance import Balance
from pinlab.objectives.failures import FAILURES
from pinlab.objectives.progress import Progress

MAX_STATES: Final = 1_000_000
"""Of one combination, if nothing is said: a pair has hundreds, few triples a hundred thousand."""

MOST: Final = 4
"""Operations at a time: of five there are a million combinations, and most have more states."""

CHUNK: Final = 100
"""Combinations that a process is given at a time: a second's work at most, for two operations."""

Combination = tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which combinations are explored."""

    size: int = 2
    operations: tuple[Played, ...] = ()
    """All that there are, but for those against a contract."""
    must: tuple[frozenset[str], ...] = ()
    """Sets of names of operations, as they are played: each combination has one of each set."""
    states: tuple[State, ...] = ()
    among: frozenset[tuple[tuple[str, ...], str]] | None = None
    """Names of operations, and a state: only these combinations, whatever fewer of them break; None
    for all."""


def ask(design: Design, wanted: Wanted) -> Asked:
    """What is asked of a design. Raises UsageError."""
    size = wanted.size
    if not 1 <= size <= MOST:
        raise UsageError(f"--size {size}: give 1 to {MOST} operations at a time")
    world = design.world
    named, left_out = _named(world, wanted.having), _named(world, wanted.without)
    every = [
        each
        for operation in world.operations.values()
        for each in places(operation)
        if each.name not in left_out
        if each.name in named or not (operation.misuse or (operation.is_variant and size > 2))
    ]
    must = [{each.name for each in every} & named] if named else []
    if must == [set()]:
        raise UsageError("--without leaves out all that --with asks for")
    if functions := {it for name in wanted.touching for it in _seen(design, name)}:
        must.append({each.name for each in every if functions & _comes_to(design, each)})
        if not must[-1]:
            raise UsageError(f"no operation comes to {' or '.join(sorted(functions))}")
    states = {it.name: it for it in map(world.state, wanted.states or world.states)}
    return Asked(size, tuple(every), tuple(map(frozenset, must)), tuple(states.values()))


def _named(world: World, words: str) -> frozenset[str]:
    """The operations that words name, as they are played: at all their mappings, if no @ says at
    which. Raises UsageError."""
    return frozenset(
        each.name
        for word in words.replace(",", " ").split()
        for given in played(word, world.operations, worlds.listing("operations", world))
        for each in ([given] if "@" in word else places(given.operation))
    )


def places(operation: Operation) -> Iterator[Played]:
    """The operation at each mapping that it may work on."""
    for place in operation.places or ("",):
        yield Played(operation, place)


def _seen(design: Design, name: str) -> frozenset[str]:
    """The functions of the program that stand for `name`: it itself, or whose expressions it is
    part of, if it is pure. Raises UsageError if there is none."""
    calls = build.program(design).calls
    if name in calls:
        return frozenset({name})
    known = design.world.functions
    if name not in known:
        raise UsageError(f"the model has no function {name!r}: {nearest(name, {*calls, *known})}")
    users = (it for it, made in known.items() if name in made.function.__code__.co_names)
    return frozenset().union(*(_seen(design, it) for it in users))


def _comes_to(design: Design, each: Played) -> frozenset[str]:
    starts = (task.kernel_function().__name__ for task in each.operation.tasks)
    return build.called_from(build.program(design).calls, starts)


def only(wanted: Asked, broken: Iterable[Broken]) -> Asked:
    """Of what is asked, the combinations in which something was broken."""
    return replace(wanted, among=frozenset((it.operations, it.state) for it in broken))


FEWER: Final = "objectives that fewer of the operations break"
CANNOT: Final = "cannot be beside each other, or not from that state"
ONE_PAGE: Final = "leave the second page of the state alone"

Task = tuple[Combination, State]


def combinations(wanted: Asked, size: int, skipped: Counter[str] | None = None) -> Iterator[Task]:
    """Those asked for, of `size` operations, state by state; `skipped` counts the rest, by why."""
    why_not: Counter[str] = Counter() if skipped is None else skipped
    for chosen, at in _possible_ones(wanted, size, why_not):
        if is_wanted(names_of(chosen), at.name, wanted):
            yield chosen, at


def _possible_ones(wanted: Asked, size: int, why_not: Counter[str]) -> Iterator[Task]:
    for at in wanted.states:
        here = [
            each for each in wanted.operations if each.operation.beside or not refusal((each,), at)
        ]
        for chosen in combinations_with_replacement(here, size):
            if refusal(chosen, at):
                why_not[CANNOT] += is_wanted(names_of(chosen), at.name, wanted)
            elif at.has("two") and not any("two" in each.operation.needs for each in chosen):
                why_not[ONE_PAGE] += is_wanted(names_of(chosen), at.name, wanted)
            else:
                yield chosen, at


def levels(wanted: Asked, skipped: Counter[str]) -> list[list[Task]]:
    """What is explored, by size: those asked for and, as what fewer operations break is not said of
    more, those that one operation less leaves of them."""
    found: list[list[Task]] = []
    parts: set[Key] = set()
    for size in range(wanted.size, 0, -1):
        level = [
            (chosen, at)
            for chosen, at in _possible_ones(wanted, size, skipped)
            if is_wanted(names_of(chosen), at.name, wanted) or key(chosen, at) in parts
        ]
        if wanted.among is None:
            parts = {key(less, at) for chosen, at in level for less in fewer(chosen)}
        found.insert(0, level)
    return found


def is_wanted(names: tuple[str, ...], at: str, wanted: Asked) -> bool:
    """Whether a combination is one of those asked for."""
    if wanted.among is not None and (names, at) not in wanted.among:
        return False
    return all(any(name in some for name in names) for some in wanted.must)


def names_of(chosen: Combination) -> tuple[str, ...]:
    """The names of its operations."""
    return tuple(each.name for each in chosen)


def fewer(chosen: Combination) -> Iterator[Combination]:
    """The combinations of one operation less."""
    for number in range(len(chosen)):
        yield chosen[:number] + chosen[number + 1 :]


Key = tuple[tuple[str, ...], str]
"""The names of a combination's operations, in order, and its state."""


def key(chosen: Combination, at: State) -> Key:
    """By what a combination is known, in whatever order its operations stand."""
    return _sorted(chosen), at.name


def _sorted(chosen: Iterable[Played]) -> tuple[str, ...]:
    return tuple(sorted(each.name for each in chosen))


# ------------------------------------------------------------------------------ one combination


@dataclass(slots=True)
class _Found:
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


Known = Mapping[Key, frozenset[str]]
"""The objectives that combinations break, those that fewer of them break included."""


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

    def ask(self, chosen: Combination, at: State, into: _Found) -> None:
        """Explore one combination. Of one that was not asked for, only what it breaks counts."""
        if is_wanted(names_of(chosen), at.name, self.wanted):
            self._ask(chosen, at, into)
            return
        aside = _Found()
        self._ask(chosen, at, aside)
        into.broken += aside.broken

    def _ask(self, chosen: Combination, at: State, into: _Found) -> None:
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


class _Beyond(Asker):
    """Of what a combination breaks, only what it does not break in another design: nothing, if
    that was cut off."""

    def __init__(self, asker: Asker, base: Asker) -> None:
        super().__init__(asker.design, asker.keys, asker.limits, asker.broken_by, asker.wanted)
        self.base = base

    def ask(self, chosen: Combination, at: State, into: _Found) -> None:
        """Explore one combination, and in the other design too if it breaks something."""
        mine, before = _Found(), _Found()
        super().ask(chosen, at, mine)
        if mine.broken:
            self.base.ask(chosen, at, before)
        known = {it.objective for it in before.broken}
        mine.broken = [it for it in mine.broken if it.objective not in known]
        if mine.broken and before.cut_off:
            mine.broken = []
            mine.cut_off += before.cut_off
        _add(into, mine)


SAMPLE: Final = 40
"""Combinations that are explored to say how long all of them take."""


def estimate(
    design: Design, keys: Mapping[str, int], wanted: Asked, limits: Limits | None = None
) -> Estimate:
    """Explore some of the largest, drawn at random but always alike."""
    wanted = possible(wanted, keys)
    todo = list(combinations(wanted, wanted.size))
    sample = random.Random(0).sample(todo, min(SAMPLE, len(todo)))
    asker = Asker(design, keys, limits, {}, wanted)
    for chosen, at in sample[:1]:
        asker.explored(asker.scenario(chosen, at), choose.explore)  # its machine code
    start = time.perf_counter()
    for chosen, at in sample:
        asker.explored(asker.scenario(chosen, at), choose.explore)
    each = (time.perf_counter() - start) / max(1, len(sample))
    return Estimate(len(todo), each * len(todo), len(sample))


# ---------------------------------------------------------------------------------- all of them


@dataclass(frozen=True, slots=True)
class _Work:
    """Combinations, and who asks them."""

    asker: Asker
    todo: Sequence[Task]

    def done(self, numbers: range) -> _Found:
        """What is found in some of them."""
        found = _Found()
        for number in numbers:
            self.asker.ask(*self.todo[number], found)
        found.done = len(numbers)
        return found


def sweep(
    design: Design,
    keys: Mapping[str, int],
    wanted: Asked,
    *,
    limits: Limits | None = None,
    jobs: int = 1,
    away: Away | None = None,
    on_sweep: OnSweep | None = None,
) -> Swept:
    """Explore all combinations, the smaller ones first, on several processes or away from here.
    Ctrl-C ends with what was found so far."""
    start = time.perf_counter()
    wanted = possible(wanted, keys)
    skipped: Counter[str] = Counter()
    sizes = levels(wanted, skipped)
    total = sum(map(len, sizes))
    known: dict[Key, frozenset[str]] = {}
    found = _Found()
    done = 0
    stopped = None
    for todo in sizes:
        level = _Found()
        try:
            work = _Work(Asker(design, keys, limits, known, wanted), todo)
            with closing(_level(work, jobs, away=away)) as parts:
                for each in parts:
                    _add(level, each)
                    done = found.done + level.done
                    if on_sweep is not None:
                        on_sweep(done, total)
        except KeyboardInterrupt:
            stopped = choose.INTERRUPTED
        except Lost as error:
            stopped = str(error)
        if wanted.among is None:
            _learn(known, todo, level.broken)
        told = (it for it in level.broken if is_wanted(it.operations, it.state, wanted))
        level.broken = list(told)
        _add(found, level)
        if stopped is not None:
            break
    if found.fewer:
        skipped[FEWER] = found.fewer
    return Swept(
        design=design.name,
        size=wanted.size,
        broken=tuple(found.broken),
        objectives=tuple(build.objectives_of(design)),
        explored=found.explored,
        states=found.states,
        cut_off=tuple(found.cut_off),
        unexplored=total - done,
        skipped=dict(skipped),
        unplayed=found.unplayed,
        restless=found.restless,
        failed=dict(sorted(found.failed.items())),
        seconds=time.perf_counter() - start,
        stopped=stopped,
    )


def _tasks(it: Task) -> int:
    chosen, _ = it
    return sum(len(each.operation.tasks) for each in chosen)


def first(
    design: Design,
    keys: Mapping[str, int],
    base: Design,
    base_keys: Mapping[str, int],
    levels: Iterable[Asked],
    *,
    limits: Limits | None = None,
    jobs: int = 1,
    on_sweep: OnSweep | None = None,
) -> First:
    """The first combination, level by level, that breaks an objective which it does not break in
    `base`; in a level those of the fewest tasks come first, as they are the cheapest. Each is asked
    for all objectives, whatever fewer of its operations break. Ctrl-C ends the search."""
    found = _Found()
    size = 0
    stopped = None
    try:
        machine.load(build.program(base))  # once for all processes
        for wanted in levels:
            size = wanted.size
            able = possible(wanted, keys)
            below = Asker(base, base_keys, limits, {}, able)
            todo = sorted(combinations(able, size), key=_tasks)
            work = _Work(_Beyond(Asker(design, keys, limits, {}, able), below), todo)
            start = found.done
            with closing(_level(work, jobs, 1)) as parts:
                for each in parts:
                    _add(found, each)
                    if on_sweep is not None:
                        on_sweep(found.done - start, len(todo))
                    if found.broken:
                        break
            if found.broken:
                break
    except KeyboardInterrupt:
        stopped = choose.INTERRUPTED
    return First(
        broken=min(found.broken, key=lambda it: it.place, default=None),
        size=size,
        explored=found.explored,
        states=found.states,
        cut_off=tuple(found.cut_off),
        failed=dict(sorted(found.failed.items())),
        stopped=stopped,
    )


def possible(wanted: Asked, keys: Mapping[str, int]) -> Asked:
    """Without operations that no kernel of this design would do, as its probes say."""
    able = (
        each
        for each in wanted.operations
        if all(keys.get(name, 1) for name in each.operation.probes)
    )
    return replace(wanted, operations=tuple(able))


def _learn(
    known: dict[Key, frozenset[str]],
    done: Iterable[Task],
    broken: Iterable[Broken],
) -> None:
    """Note which objectives each combination breaks, and those that fewer of it break."""
    new: dict[Key, set[str]] = {}
    for each in broken:
        new.setdefault((tuple(sorted(each.operations)), each.state), set()).add(each.objective)
    for chosen, at in done:
        it = key(chosen, at)
        known[it] = inherited(chosen, at, known).union(new.get(it, ()))


def _level(
    work: _Work, jobs: int, chunk: int = CHUNK, away: Away | None = None
) -> Generator[_Found, None, None]:
    """What is found in all combinations of one size, chunk by chunk."""
    count = len(work.todo)
    if away is not None:
        chunk = max(1, min(chunk, count // (SHARE * away.cluster.cpus)))
    elif work.todo:
        machine.load(build.program(work.asker.design))  # once for all processes
    chunks = [range(at, min(at + chunk, count)) for at in range(0, count, chunk)]
    if away is None:
        return in_processes(work.done, chunks, jobs)
    names = [[_said(*work.todo[number]) for number in numbers] for numbers in chunks]
    return away.cluster.run(f"{__name__}:prepare", _setup(work.asker, away.design), names)


def _add(to: _Found, more: _Found) -> None:
    to.broken += more.broken
    to.explored += more.explored
    to.states += more.states
    to.cut_off += more.cut_off
    to.unplayed += more.unplayed
    to.restless += more.restless
    to.fewer += more.fewer
    to.done += more.done
    for kind, times in more.failed.items():
        to.failed[kind] = to.failed.get(kind, 0) + times


# ------------------------------------------------------------------------------- away from here

SHARE: Final = 4
"""Chunks that each processor of a cluster gets at least: they are not done in equal times."""

Said = tuple[tuple[str, ...], str]
"""A combination in names: its operations as they are played, in their order, and its state."""


@dataclass(frozen=True, slots=True)
class Away:
    """A cluster, and the design that is swept as its nodes are told of it."""

    cluster: Cluster
    design: Sent


@dataclass(frozen=True, slots=True)
class _Setup:
    """What a node must know of a sweep beside the combinations: an `Asker` in plain data."""

    design: Sent
    keys: Mapping[str, int]
    limits: Limits | None
    known: Known
    wanted: Asked
    """Without operations and states: who asks looks at those of a combination only."""


def _setup(asker: Asker, design: Sent) -> _Setup:
    wanted = replace(asker.wanted, operations=(), states=())
    return _Setup(design, dict(asker.keys), asker.limits, dict(asker.broken_by), wanted)


def _said(chosen: Combination, at: State) -> Said:
    return names_of(chosen), at.name


def prepare(setup: _Setup) -> Callable[[Sequence[Said]], _Found]:
    """On a node: who explores the combinations of a chunk, which are given in names. Raises
    UsageError if the design is not what was sent."""
    design = received(setup.design)
    limits = room.bounded(setup.limits, os.cpu_count() or 1)
    asker = Asker(design, setup.keys, limits, setup.known, setup.wanted)

    def work(chunk: Sequence[Said]) -> _Found:
        todo = [_meant(design.world, *each) for each in chunk]
        return _Work(asker, todo).done(range(len(todo)))

    return work


def _meant(world: World, names: Iterable[str], at: str) -> Task:
    parts = (name.partition("@") for name in names)
    return tuple(Played(world.operations[it], place) for it, _, place in parts), world.state(at)
