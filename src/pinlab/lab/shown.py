"""What the pages show of a design: films of its counterexamples, and what was found before."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from pinlab.lab import asked, build, kept
from pinlab.lab.catalogue import hooks
from pinlab.lab.check import check
from pinlab.lab.design import Design
from pinlab.lab.explore import room
from pinlab.lab.explore.result import Limits
from pinlab.lab.film import Film
from pinlab.lab.probes import probe
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Known, Trace
from pinlab.lab.weak import MODELS


def racing(design: Design, trace: Trace) -> str | None:
    """The racing part of a counterexample as a litmus test; None if it has none."""
    from pinlab.lab.litmus.racing import racing as found  # its parser takes a while to import

    where = asked.named(design, trace.scenario)
    judged = (trace.objective,) if trace.objective in where.judges else ()
    it = build.system(design, where, probe(design).known, judged, trace.memory_model)
    return found(it, trace.moves, f"{trace.design}-{trace.objective}")


def film(design: Design, trace: Trace) -> Film:
    """A counterexample with what is between its steps, and which of them it needs."""
    from pinlab.lab.film import frames, races

    where = asked.named(design, trace.scenario)
    judged = (trace.objective,) if trace.objective in where.judges else ()
    it = build.system(design, where, probe(design).known, judged, trace.memory_model)
    why = races.why(it, trace, build.audit(design, where, judged))
    return replace(frames.film(it, trace, design.world.show), why=why)


Shown = tuple[Design, str, str]
"""A design, an objective that it breaks, and the scenario in which it does."""


def films(
    asked_for: Sequence[Shown],
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> tuple[Film | None, ...]:
    """The film of the shortest counterexample of each, on some processes; None if there is none
    within the limits. Ctrl-C goes through."""
    workers = jobs or os.cpu_count() or 1
    work = partial(_filmed, room.bounded(limits, workers))
    found: list[Film | None] = []
    with closing(in_processes(work, asked_for, workers)) as parts:
        for each in parts:
            found.append(each)
            if on_done is not None:
                on_done(len(found), len(asked_for))
    return tuple(found)


def _filmed(limits: Limits, shown: Shown) -> Film | None:
    it, objective, scenario = shown
    found = check(it, (scenario,), (objective,), limits=limits, ways=True)
    return film(it, found.ways[0].trace()) if found.ways else None


def known(design: Design) -> Known:
    """What was found of a design before, beside its verdicts under sequential consistency."""
    models = {model: kept.rows(design, model) for model in MODELS}
    return Known(
        hooks=hooks(design),
        swept=kept.swept(design),
        models={model: rows for model, rows in models.items() if rows},
    )
