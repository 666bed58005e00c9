"""What a design is asked: the package's scenarios and objectives, and those that it brings.

An objective of its own is judged where a scenario of its own names it. One that none names is
judged in all of the package's that can violate it.
"""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.scenarios import scenario as scenarios_
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.verdicts import untouched


def scenarios(design: Design) -> dict[str, Scenario]:
    """The scenarios by name, with all that each one judges for this design."""
    return {
        name: replace(it, judges=(*it.judges, *_beside(design, it))) if name in packaged else it
        for packaged in [scenarios_.load()]
        for name, it in build.known(design).items()
    }


def _beside(design: Design, scenario: Scenario) -> tuple[str, ...]:
    """The design's objectives that a scenario of the package judges too."""
    if scenario.probes or scenario.fault:
        return ()
    named = {name for it in design.scenarios.values() for name in it.judges}
    free = [name for name in design.objectives if name not in named]
    if not free:
        return ()
    program = build.program(design)
    return tuple(name for name in free if not untouched(name, scenario, program))
