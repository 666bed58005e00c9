"""Combinations on a cluster: they are sent by their names, with all that who asks must know."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pinlab.lab.cluster import Cluster
from pinlab.lab.explore import room
from pinlab.lab.explore.result import Limits
from pinlab.lab.scenarios.operation import Played
from pinlab.lab.scenarios.state import State
from pinlab.lab.sent import Sent, received
from pinlab.lab.sweep.asker import Asker, Found, Known, Work
from pinlab.lab.sweep.combination import Asked, Combination, Task, names_of
from pinlab.lab.world import World

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


def prepare(setup: _Setup) -> Callable[[Sequence[Said]], Found]:
    """On a node: who explores the combinations of a chunk, which are given in names. Raises
    UsageError if the design is not what was sent."""
    design = received(setup.design)
    limits = room.bounded(setup.limits, os.cpu_count() or 1)
    asker = Asker(design, setup.keys, limits, setup.known, setup.wanted)

    def work(chunk: Sequence[Said]) -> Found:
        todo = [_meant(design.world, *each) for each in chunk]
        return Work(asker, todo).done(range(len(todo)))

    return work


def _meant(world: World, names: Iterable[str], at: str) -> Task:
    parts = (name.partition("@") for name in names)
    return tuple(Played(world.operations[it], place) for it, _, place in parts), world.state(at)


def run(away: Away, asker: Asker, chunks: Iterable[Iterable[Task]]) -> Generator[Found, None, None]:
    """What is found in chunks of combinations, in their order."""
    names = [[_said(*task) for task in chunk] for chunk in chunks]
    return away.cluster.run(f"{__name__}:prepare", _setup(asker, away.design), names)
