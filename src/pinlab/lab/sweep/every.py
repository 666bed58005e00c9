"""All combinations, level by level; how long they take; the first that breaks something."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from typing import Final

from pinlab.lab import build
from pinlab.lab.cluster import Lost
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, machine
from pinlab.lab.explore.result import Limits
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Broken, Estimate, First, OnSweep, Swept
from pinlab.lab.sweep.asker import Asker, Beyond, Found, Work, inherited
from pinlab.lab.sweep.away import Away, run
from pinlab.lab.sweep.combination import (
    FEWER,
    Asked,
    Key,
    Task,
    combinations,
    is_wanted,
    key,
    levels,
    possible,
)

MAX_STATES: Final = 1_000_000
"""Of one combination, if nothing is said: a pair has hundreds, few triples a hundred thousand."""


CHUNK: Final = 100
"""Combinations that a process is given at a time: a second's work at most, for two operations."""


SAMPLE: Final = 40
"""Combinations that are explored to say how long all of them take."""


SHARE: Final = 4
"""Chunks that each processor of a cluster gets at least: they are not done in equal times."""


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
    found = Found()
    done = 0
    stopped = None
    for todo in sizes:
        level = Found()
        try:
            work = Work(Asker(design, keys, limits, known, wanted), todo)
            with closing(_level(work, jobs, away=away)) as parts:
                for each in parts:
                    level.add(each)
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
        found.add(level)
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
    found = Found()
    size = 0
    stopped = None
    try:
        machine.load(build.program(base))  # once for all processes
        for wanted in levels:
            size = wanted.size
            able = possible(wanted, keys)
            below = Asker(base, base_keys, limits, {}, able)
            todo = sorted(combinations(able, size), key=_tasks)
            work = Work(Beyond(Asker(design, keys, limits, {}, able), below), todo)
            start = found.done
            with closing(_level(work, jobs, 1)) as parts:
                for each in parts:
                    found.add(each)
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


def _tasks(it: Task) -> int:
    chosen, _ = it
    return sum(len(each.operation.tasks) for each in chosen)


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
    work: Work, jobs: int, chunk: int = CHUNK, away: Away | None = None
) -> Generator[Found, None, None]:
    """What is found in all combinations of one size, chunk by chunk."""
    count = len(work.todo)
    if away is not None:
        chunk = max(1, min(chunk, count // (SHARE * away.cluster.cpus)))
    elif work.todo:
        machine.load(build.program(work.asker.design))  # once for all processes
    chunks = [range(at, min(at + chunk, count)) for at in range(0, count, chunk)]
    if away is None:
        return in_processes(work.done, chunks, jobs)
    return run(away, work.asker, [[work.todo[number] for number in chunk] for chunk in chunks])
