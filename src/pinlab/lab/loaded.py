"""Designs of which everything fits, and what a patch builds on."""

from __future__ import annotations

from pinlab.errors import UsageError
from pinlab.lab import build
from pinlab.lab import design as designs_
from pinlab.lab.design import Design
from pinlab.lab.language.source import LanguageError
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario
from pinlab.nearest import nearest


def load_design(name_or_path: str) -> Design:
    """A design by name, by DETECTOR+POLICY or from a file. Raises UsageError."""
    return usable(designs_.load(name_or_path))


def usable(found: Design) -> Design:
    """The design, of which everything fits. Raises UsageError."""
    design = _compiled(found)
    for scenario in design.scenarios.values():
        _refuse_goals(design, scenario)
    return design


def _compiled(design: Design) -> Design:
    """The design, which can be compiled and played. Raises UsageError if it cannot."""
    try:
        build.program(design)
    except LanguageError as error:
        raise UsageError(str(error)) from error
    for scenario in design.scenarios.values():
        build.system(design, scenario, {})  # refuses what does not fit the model
    return design


def _refuse_goals(design: Design, scenario: Scenario) -> None:
    """A misspelt function is never reached, and why would not be plain to see."""
    functions = build.program(design).calls.keys() | design.world.functions.keys()
    for goal in scenario.reach:
        if isinstance(goal, ReachFunction) and goal.function not in functions:
            hint = nearest(goal.function, functions)
            raise UsageError(
                f"scenario {scenario.name}: reach: there is no function {goal.function!r}: {hint}"
            )


def base(design: Design) -> Design | None:
    """What a patch builds on, asked what the patch brings; None if the design is no patch."""
    if design.base is not None:
        load_design(design.base)  # refuses what does not fit the model
    below = designs_.below(design)
    return None if below is None else _compiled(below)
