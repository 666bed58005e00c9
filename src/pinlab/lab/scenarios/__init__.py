"""The scenarios, found by their place: every module here that defines SCENARIO."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pinlab.lab.scenarios.scenario import Scenario


@cache
def load() -> Mapping[str, Scenario]:
    """Every scenario by name, in alphabetical order."""
    found: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(__path__):
        scenario = getattr(
            importlib.import_module(f"{__name__}.{module.name}"), "SCENARIO", None
        )
        if scenario is None:
            continue
        if scenario.name.replace("-", "_") != module.name:
            raise ValueError(f"scenario {scenario.name} must not be in {module.name}.py")
        found[scenario.name] = scenario
    return MappingProxyType(dict(sorted(found.items())))
