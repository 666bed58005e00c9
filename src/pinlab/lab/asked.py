"""What a design is asked: the package's scenarios and objectives, those that it brings, and any
operations from any state.

An objective of its own is judged where a scenario of its own names it. One that none names is
judged in all that can violate it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pinlab.errors import UsageError
from pinlab.lab import build, worlds
from pinlab.lab.design import Design
from pinlab.lab.scenarios.operation import combined, name_of, played, refusal
from pinlab.lab.scenarios.scenario import Scenario, permuted
from pinlab.lab.verdicts import emitted, untouched
from pinlab.lab.world import World
from pinlab.objectives import Objective
from pinlab.objectives.balance import Balance
from pinlab.objectives.progress import Progress

COMBINED = "/"
"""In the name of a scenario that is operations from a state: dio-read@1,fsync/dirty+buffers+rw."""


def named(design: Design, name: str, known: Mapping[str, Scenario] | None = None) -> Scenario:
    """A scenario by its name, also one of operations, or one that `permuted` has made. Raises
    UsageError for operations that cannot be played, KeyError for an unknown name."""
    plain, _, order = name.partition(":")
    if COMBINED in plain:
        it = combination(design, plain)
    else:
        it = (scenarios(design) if known is None else known)[plain]
    return permuted(it, tuple(map(int, order.split(",")))) if order else it


def combination(design: Design, name: str) -> Scenario:
    """Operations from a state, by the name of their scenario. It judges all that any line which
    they come to can violate. Raises UsageError."""
    operations, _, words = name.partition(COMBINED)
    chosen = played(operations, design.world.operations, worlds.listing("operations", design.world))
    it = combined(chosen, design.world.state(words), ())
    asks = {name for each in chosen for name in each.operation.asks}
    return replace(
        it,
        judges=tuple(
            o.name
            for o in build.objectives_of(design).values()
            if o.name in asks or not _happens(o)
            if not (isinstance(o, Balance) and any(each.operation.goes_on for each in chosen))
            if _breakable(o, design, it)
        ),
    )


def _happens(objective: Objective) -> bool:
    """Whether it asks that something can always still happen, and not that all tasks end."""
    return isinstance(objective, Progress) and objective.event is not None


def combinations(
    operations: str, words: str | None, world: World = worlds.DEFAULT
) -> tuple[str, ...]:
    """The names of the scenarios of some operations, from one state or from all that they can be
    played from. Raises UsageError if there is none."""
    chosen = played(operations, world.operations, worlds.listing("operations", world))
    states = [world.state(each) for each in (world.states if words is None else (words,))]
    refusals = [refusal(chosen, each) for each in states]
    names = [name_of(chosen, at) for at, why in zip(states, refusals, strict=True) if not why]
    if not names:
        raise UsageError(refusals[0])
    return tuple(names)


def scenarios(design: Design) -> dict[str, Scenario]:
    """The scenarios by name, with all that each one judges for this design."""
    known = build.known(design)
    more: dict[str, list[str]] = {name: [] for name in known}
    played = [it for it in known.values() if not (it.probes or it.fault or it.misuse)]
    named = {name for it in played if it.name in design.scenarios for name in it.judges}
    for objective in design.objectives.values():
        if objective.name not in named:
            able = [it for it in played if _breakable(objective, design, it)]
            for it in able or played:  # where none is able, each says so
                more[it.name].append(objective.name)
    return {
        name: replace(it, judges=(*it.judges, *more[name])) if more[name] else it
        for name, it in known.items()
    }


def _breakable(objective: Objective, design: Design, scenario: Scenario) -> bool:
    """Whether some line that the scenario can come to may violate it, or make it come true."""
    program = build.program(design)
    if isinstance(objective, Balance):
        return design.world.books is not None
    if isinstance(objective, Progress):
        said = emitted(program, build.called(program, [scenario]))
        return objective.event is None or objective.event in said
    return not untouched(objective.name, scenario, program)
