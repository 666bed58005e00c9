"""The objectives of the thread: the hall between the lab and the field.

Each objective is one file of this package that defines `OBJECTIVE`: an `Automaton` over the
named events of one page, a `Progress` property ("this can always still happen"), or a `Balance`
("when all is done, this is so"). `load` finds them by their place. Nothing here knows the model or
a running kernel.

O1, O2 and O3 are the names people see; designs of the thread call the same things I2, I3 and
I8. Where the two differ (O2 asks whether the file system was told, I3 whether its buffers are
there; O3 asks whether a pinned block was reused, I8 whether it was freed) there are two files.
I2 is O1, so there is no i2.py. I7 (FOLL_FORCE), I14 (secretmem) and I15 (stale TLB entries
under userfaultfd) need worlds that the lab does not model, and are not here.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.balance import Balance
from pinlab.objectives.progress import Progress

Objective = Automaton | Progress | Balance
"""Any kind; all have `name`, `claim` and `source`."""


@cache
def load() -> Mapping[str, Objective]:
    """Every objective by name, in the order of people: O1 .. O3, I1 .. I13, I13b, I16."""
    found: dict[str, Objective] = {}
    for module in pkgutil.iter_modules(__path__):
        objective = getattr(importlib.import_module(f"{__name__}.{module.name}"), "OBJECTIVE", None)
        if objective is None:
            continue
        if not isinstance(objective, Objective):
            raise TypeError(f"{module.name}.OBJECTIVE is no Automaton, Progress or Balance")
        if objective.name.lower() != module.name:
            raise ValueError(f"objective {objective.name} must be in {objective.name.lower()}.py")
        found[objective.name] = objective
    return MappingProxyType({name: found[name] for name in sorted(found, key=order)})


def order(name: str) -> tuple[int, int, str]:
    """Sort key for names of objectives: O before I, then by number, then by suffix."""
    match = re.fullmatch(r"([A-Z])(\d+)(.*)", name)
    if match is None:
        return (2, 0, name)
    letter, number, suffix = match.groups()
    return (0 if letter == "O" else 1, int(number), suffix)
