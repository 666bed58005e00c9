"""What a design is asked: the package's scenarios and objectives, and those that it brings.

An objective of its own is judged where a scenario of its own names it. One that none names is
judged in all that can violate it.
"""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.verdicts import emitted, untouched
from pinlab.objectives import Objective
from pinlab.objectives.progress import Progress


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
    if isinstance(objective, Progress):
        said = emitted(program, build.called(program, [scenario]))
        return objective.event is None or objective.event in said
    return not untouched(objective.name, scenario, program)
