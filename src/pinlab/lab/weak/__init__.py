"""Memory models: how the loads and stores of a program may be seen in another order than its own.

A memory model is a pass from `Program` to `Program`, so explorers, traces and costs need to know
of none. The state of a weak program has, beside the newest value of every word, the value before
it, whose buffer the newest one is still in, and who may have loaded the word before it was there.
The model of x86 is in x86_tso.py, that of arm64 in arm64.py; both are data for machine.py.

Source: tools/memory-model/Documentation/explanation.txt for what the kernel promises. The machine
is our own; it shows of ARMv8 (Pulte et al., POPL 2018) what two values a word can: see `bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from pinlab.lab.language.program import SC, Program, System
from pinlab.lab.weak import arm64, x86_tso
from pinlab.lab.weak.loads import Unsupported
from pinlab.lab.weak.model import Model
from pinlab.lab.weak.weaken import weaken

__all__ = ["MODELS", "NAMES", "SC", "Unsupported", "bounds", "under"]

MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {it.name: it for it in (x86_tso.MODEL, arm64.MODEL)}
)
"""The memory models beside sequential consistency, by name."""

NAMES: Final = (SC, *MODELS)

KEPT: Final = 64
"""Weak programs that are remembered."""

_weak: dict[tuple[int, str, int], tuple[Program, Program]] = {}
"""By program, model and number of CPUs; with the program, so that no other gets its identity."""


def under(system: System, name: str) -> System:
    """`system` under the memory model of this name. Raises Unsupported."""
    if name == SC:
        return system
    cpus = 1 + max(map(system.cpu, range(len(system.actors))))
    key = id(system.program), name, cpus
    if key not in _weak:
        if len(_weak) >= KEPT:
            del _weak[next(iter(_weak))]
        _weak[key] = system.program, weaken(system.program, MODELS[name], cpus)
    return replace(system, program=_weak[key][1])


def bounds(name: str) -> str:
    """What is explored under a model, and what it does not show."""
    return "sequential consistency" if name == SC else f"{name} ({MODELS[name].bounds})"
