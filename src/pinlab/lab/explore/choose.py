"""Which explorer: the interpreter finishes a small space before a compiler has warmed up.

Both find the same, so the choice is one of time only: the interpreter tries first, and if
there are more states than it visits while LLVM would compile, machine code starts again from the
beginning. Where no compilation is needed, machine code is used at once.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from pinlab.lab.explore import reference
from pinlab.lab.explore.ranges import TooWide
from pinlab.lab.explore.result import (
    INTERRUPTED,
    AlwaysPossible,
    Audit,
    Exploration,
    Limits,
    OnProgress,
)
from pinlab.lab.language.program import System

__all__ = ["INTERRUPTED", "SMALL", "Engine", "explore"]

Engine = Literal["auto", "interpreter", "native"]

SMALL = 500
"""States up to which the interpreter is worth a try: a quarter of a second, as a compiler needs."""


def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
    *,
    engine: str = "auto",
    everywhere: bool = False,
    audit: Audit | None = None,
    known: Collection[str] = (),
) -> Exploration:
    """Visit every state of `system` breadth-first, see `Exploration`; `everywhere` tells hits at
    different nodes apart, `audit` judges the states at rest. Of what is `known` no path is asked
    for (see native.explore).

    `engine` is one of `Engine`. Raises ValueError for another, or (natively) for a malformed
    system; TooWide if `engine` is "native" and the program computes beyond 63 bits.
    """
    limits = limits or Limits()
    if engine == "interpreter":
        return reference.explore(
            system, limits, progress, on_progress, everywhere=everywhere, audit=audit
        )
    if engine not in ("auto", "native"):
        raise ValueError(f'no explorer is called "{engine}": auto, interpreter or native')
    start = time.perf_counter()
    if engine == "auto":
        found = _try_interpreter(system, limits, progress, on_progress, everywhere, audit)
        if found is not None:
            return found
    from pinlab.lab.explore import native  # numba takes a while to import

    try:
        found = native.explore(
            system,
            _left(limits, start),
            progress,
            on_progress,
            everywhere=everywhere,
            audit=audit,
            known=known,
        )
    except TooWide:
        if engine == "native":
            raise
        found = reference.explore(
            system, _left(limits, start), progress, on_progress, everywhere=everywhere, audit=audit
        )
    if found.stopped is not None and found.stopped.endswith("seconds"):
        found = replace(found, stopped=f"more than {limits.seconds:g} seconds")
    return replace(found, seconds=time.perf_counter() - start)


def _try_interpreter(
    system: System,
    limits: Limits,
    progress: tuple[AlwaysPossible, ...],
    on_progress: OnProgress | None,
    everywhere: bool,
    audit: Audit | None,
) -> Exploration | None:
    """The interpreter's result if it gets to an end within `SMALL` states."""
    from pinlab.lab.explore import machine

    try:
        if machine.is_quick(system.program):
            return None
    except TooWide:
        return reference.explore(
            system, limits, progress, on_progress, everywhere=everywhere, audit=audit
        )
    if limits.max_states is not None and limits.max_states <= SMALL:
        return reference.explore(
            system, limits, progress, on_progress, everywhere=everywhere, audit=audit
        )
    small = replace(limits, max_states=SMALL)
    found = reference.explore(
        system, small, progress, on_progress, everywhere=everywhere, audit=audit
    )
    went_on = found.stopped is not None and found.stopped.endswith("states")
    return None if went_on else found


def _left(limits: Limits, start: float) -> Limits:
    if limits.seconds is None:
        return limits
    return replace(limits, seconds=max(0.0, limits.seconds - (time.perf_counter() - start)))
