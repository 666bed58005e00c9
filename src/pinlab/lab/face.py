"""The face of the lab: all that a command, a tool or a test asks of it."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pinlab.lab import cluster as clusters
from pinlab.lab import difference as difference_
from pinlab.lab import kept, worlds
from pinlab.lab import sweep as sweep_
from pinlab.lab.catalogue import function as function
from pinlab.lab.catalogue import functions as functions
from pinlab.lab.check import check as check
from pinlab.lab.check import trace as trace
from pinlab.lab.cluster import Cluster
from pinlab.lab.compare import compare as compare
from pinlab.lab.design import Design
from pinlab.lab.explore import room
from pinlab.lab.explore.result import Limits
from pinlab.lab.listing import brought as brought
from pinlab.lab.listing import combinations as combinations
from pinlab.lab.listing import described as described
from pinlab.lab.listing import designs as designs
from pinlab.lab.listing import objectives as objectives
from pinlab.lab.listing import operations as operations
from pinlab.lab.listing import scenarios as scenarios
from pinlab.lab.listing import states as states
from pinlab.lab.listing import world_names as world_names
from pinlab.lab.loaded import base as base
from pinlab.lab.loaded import load_design as load_design
from pinlab.lab.mutants.results import Score
from pinlab.lab.patch import patch as patch
from pinlab.lab.probes import cost as cost
from pinlab.lab.probes import probe as probe
from pinlab.lab.results import (
    CheckResult,
    Difference,
    Estimate,
    LitmusResult,
    OnSweep,
    Swept,
    Wanted,
)
from pinlab.lab.sent import sent
from pinlab.lab.shown import film as film
from pinlab.lab.shown import films as films
from pinlab.lab.shown import known as known
from pinlab.lab.shown import racing as racing
from pinlab.lab.touched import touched as touched

load_world = worlds.load
cluster = clusters.joined


def difference(patch: Design, before: CheckResult, after: CheckResult) -> Difference:
    """What a patch changes: `after` are its verdicts, `before` those of what it builds on."""
    below = base(patch)
    unsaid = () if below is None else tuple(difference_.unsaid(patch, below))
    return replace(difference_.difference(before, after), unsaid=unsaid)


def sweep(
    design: Design,
    wanted: Wanted,
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    there: Cluster | None = None,
    on_sweep: OnSweep | None = None,
) -> Swept:
    """Every combination of operations from every state, on some processes or on a cluster, whose
    nodes have what memory they have to spare. Of a patch: what reaches the functions that it
    replaces, and of that what is not broken without it. Raises UsageError."""
    below = base(design)
    workers = jobs or os.cpu_count() or 1
    is_whole = below is None and wanted == Wanted() and limits in (None, Limits())
    limits = _ending(room.bounded(limits, workers) if there is None else limits)

    def run(it: Design, keys: Mapping[str, int], asked_for: sweep_.Asked) -> Swept:
        away = None
        if there is not None:
            away = sweep_.Away(there, sent(design, below if it is below else None))
        return sweep_.sweep(
            it, keys, asked_for, limits=limits, jobs=workers, away=away, on_sweep=on_sweep
        )

    asked_for = _asked(design, wanted)
    found = run(design, probe(design).known, asked_for)
    if is_whole and not found.stopped:
        kept.keep_swept(design, found)
    if below is None or not found.broken:
        return found
    if found.stopped:
        return found.uncompared(found.stopped)
    before = run(below, probe(below).known, sweep_.only(asked_for, found.broken))
    return found.uncompared(before.stopped) if before.stopped else found.beyond(before)


def estimate(design: Design, wanted: Wanted, *, limits: Limits | None = None) -> Estimate:
    """How many combinations there are, and how long they take, from a sample. Raises UsageError."""
    return sweep_.estimate(design, probe(design).known, _asked(design, wanted), _ending(limits))


def _ending(limits: Limits | None) -> Limits:
    """The limits of a combination that is swept: MAX_STATES if nothing is said."""
    found = limits or Limits()
    return replace(found, max_states=found.max_states or sweep_.MAX_STATES)


def _asked(design: Design, wanted: Wanted) -> sweep_.Asked:
    if base(design) is not None and not wanted.touching:
        wanted = replace(wanted, touching=tuple(design.own))
    return sweep_.ask(design, wanted)


def mutate(
    design: Design,
    functions: Sequence[str] = (),
    *,
    hunting: bool = True,
    jobs: int | None = None,
    on_asked: Callable[[int, int], None] | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Score:
    """What would be noticed of mutants of a design's own functions, or of the model's if it has
    none; of all, or of those named. Without `hunting` only what is known already. Raises
    UsageError."""
    from pinlab.lab.mutants import score

    wanted = score.chosen(design, functions)
    workers = jobs or os.cpu_count() or 1

    def keys(of: Design) -> Mapping[str, int]:
        return probe(of).known

    return score.score(design, wanted, keys, workers, on_asked, on_done, hunting=hunting)


def litmus(path: pathlib.Path, max_states: int | None = None) -> LitmusResult:
    """What the litmus test in a file may come to under each memory model. Raises UsageError."""
    from pinlab.lab.litmus.run import run  # its parser takes a while to import

    return run(path, max_states)
