"""What a design is asked: the package's scenarios and objectives, and those that it brings.

An objective of its own is judged where a scenario of its own names it. One that none names is
judged in all that can violate it.
"""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.verdicts import untouched


def scenarios(design: Design) -> dict[str, Scenario]:
    """The scenarios by name, with all that each one judges for this design."""
    named = {name for it in design.scenarios.values() for name in it.judges}
    free = [name for name in design.objectives if name not in named]
    return {
        name: replace(it, judges=(*it.judges, *_breakable(free, design, it)))
        for name, it in build.known(design).items()
    }


def _breakable(objectives: list[str], design: Design, scenario: Scenario) -> tuple[str, ...]:
    """Those of `objectives` that some line which the scenario can come to may violate."""
    if not objectives or scenario.probes or scenario.fault:
        return ()
    program = build.program(design)
    return tuple(name for name in objectives if not untouched(name, scenario, program))
