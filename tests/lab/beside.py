"""A design in its world with one scenario more."""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab.design import Design
from pinlab.lab.scenarios.scenario import Scenario


def beside(design: Design, scenario: Scenario) -> Design:
    """The design, asked of `scenario` as if that were one of its world's."""
    known = {**design.world.scenarios(), scenario.name: scenario}
    return replace(design, world=replace(design.world, scenarios=lambda: known))
