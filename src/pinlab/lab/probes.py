"""What a design's own behaviour decides: explored, not declared; and its cost, counted along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinlab.errors import UsageError
from pinlab.lab import build, ledger
from pinlab.lab import cost as costs
from pinlab.lab.design import Design
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.language.program import System
from pinlab.lab.results import Cost
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.verdicts import FAILURE, reached
from pinlab.lab.world import World


@dataclass(frozen=True, slots=True)
class Probed:
    """The static keys that a design's own behaviour decides: whether its pin runs in GUP-fast,
    whether its unpin runs in an interrupt. Explored, not declared."""

    keys: Mapping[str, int | None]
    """None: the exploration was cut off before it could say."""
    stopped: str | None = None
    """What cut it off."""

    @property
    def known(self) -> dict[str, int]:
        """The keys that are decided."""
        return {name: value for name, value in self.keys.items() if value is not None}


def probe(design: Design, limits: Limits | None = None, engine: str = "auto") -> Probed:
    """Explore the probes. Only sleeping where nothing may sleep says no: any other failure is a
    fault of the design's, which is not to be hidden by leaving the path out."""
    program = build.program(design)
    if id(program) in _probed:
        return _probed[id(program)]
    keys: dict[str, int | None] = {}
    stopped = None
    for key, scenario in _probes(design.world).items():
        it = build.system(design, scenario, {key: 1})
        found = ledger.explore(it, limits, engine=engine)
        keys[key] = _answer(scenario, it, found)
        if keys[key] is None:
            stopped = stopped or found.stopped
    probed = Probed(keys, stopped)
    if stopped is None:
        _probed[id(program)] = probed
    return probed


def _answer(scenario: Scenario, it: System, found: Exploration) -> int | None:
    if FAILURE + "atomic-sleep" in found.hits:
        return 0
    if any(hit.startswith(FAILURE) for hit in found.hits):
        return 1  # broken, but not by where it runs: the scenarios that take this way say how
    if not found.complete:
        return None
    return int(all(reached(goal, it, found) for goal in scenario.reach))


_probed: dict[int, Probed] = {}
"""Answers of the probes by program; `build` keeps every program it has made."""


def cost(design: Design, limits: Limits | None = None) -> Cost:
    """What a design costs, counted from its program; a pin that may not run in GUP-fast, as far
    as is known within `limits`, is counted as one that does not. Raises UsageError if its world
    has no probe to count along."""
    if not is_counted(design.world):
        raise UsageError(f"the world {design.world.name} has no probe to count a pin along")
    probes = _probes(design.world)
    keys = probe(design, limits).keys
    pinning = "gup_fast_works" if keys.get("gup_fast_works") else "slow_pin_works"
    return costs.cost(design, probes[pinning], probes["slow_pin_works"], keys)


def is_counted(world: World) -> bool:
    """Whether costs of its designs can be counted."""
    return "slow_pin_works" in _probes(world)


def _probes(world: World) -> dict[str, Scenario]:
    return {it.probes: it for it in world.scenarios().values() if it.probes}
