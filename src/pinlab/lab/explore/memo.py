"""What depends on a program alone is worked out once, however many scenarios share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from pinlab.lab.language.program import Program

R = TypeVar("R")

KEPT = 64
"""Programs that are remembered; the one not used for longest is forgotten first."""


def per_program(function: Callable[[Program], R]) -> Callable[[Program], R]:
    """Remember what `function` gave. By identity: programs are large, and have no hash."""
    known: OrderedDict[int, tuple[Program, R]] = OrderedDict()

    @wraps(function)
    def remembered(program: Program) -> R:
        if id(program) not in known:
            known[id(program)] = program, function(program)
            if len(known) > KEPT:
                known.popitem(last=False)
        known.move_to_end(id(program))
        return known[id(program)][1]

    return remembered


def per_entry(function: Callable[[Program, int], R]) -> Callable[[Program, int], R]:
    """Remember what `function` gave for each entry of a program that it was asked about."""

    @per_program
    def entries(program: Program) -> dict[int, R]:
        return {}

    @wraps(function)
    def remembered(program: Program, entry: int) -> R:
        known = entries(program)
        if entry not in known:
            known[entry] = function(program, entry)
        return known[entry]

    return remembered
