"""Many designs beside each other, one process per processor, or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from pinlab.errors import UsageError
from pinlab.lab import build, kept, worlds
from pinlab.lab import design as designs_
from pinlab.lab.check import check
from pinlab.lab.cluster import Cluster, Lost
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, room
from pinlab.lab.explore.result import Limits
from pinlab.lab.language.program import SC
from pinlab.lab.loaded import usable
from pinlab.lab.probes import cost, is_counted
from pinlab.lab.processes import as_finished
from pinlab.lab.results import Activity, Comparison, Cost, OnActivity, Row
from pinlab.lab.sent import Sent, received, sent
from pinlab.lab.world import World


def compare(
    designs: tuple[str, ...] | None = None,
    *,
    world: World = worlds.DEFAULT,
    limits: Limits | None = None,
    jobs: int | None = None,
    memory_model: str = SC,
    there: Cluster | None = None,
    on_progress: OnActivity | None = None,
) -> Comparison:
    """Check many designs of one world (None: all of `world`), one process per processor, or on a
    cluster.

    Rows come in the order of designs, whatever finishes first. Ctrl-C ends with what is done. The
    processes share the memory that the machine has to spare. Raises UsageError for designs of two
    worlds, and for one that no scenario asks anything of.
    """
    chosen = designs or designs_.names(world)
    loaded = [designs_.load(name) for name in chosen]  # what cannot be loaded is said at once
    _refuse_incomparable(chosen, loaded)
    named = [it.name for it in loaded]
    if twice := [name for name in named if named.count(name) > 1]:
        raise UsageError(f"two designs are called {twice[0]}: leave one out, or rename its file")
    workers = min(jobs or os.cpu_count() or 1, len(chosen))
    how = _How(room.bounded(limits, workers) if there is None else limits, memory_model)
    results: dict[str, tuple[tuple[Row, ...], Cost | None]] = {}
    stopped = None
    if on_progress is not None:
        on_progress(Activity(chosen[0], "", 0, len(chosen)))
    try:
        with closing(_compared(loaded, how, workers, there)) as parts:
            for number, (rows, counted, at) in parts:
                name = chosen[number]
                results[name] = (tuple(replace(row, design=named[number]) for row in rows), counted)
                if limits in (None, Limits()):
                    kept.keep_rows(at, results[name][0])
                if on_progress is not None:
                    on_progress(Activity(name, "", len(results), len(chosen), rows=rows))
    except (KeyboardInterrupt, Lost) as error:
        open_ = ", ".join(name for name in chosen if name not in results)
        stopped = f"{str(error) or choose.INTERRUPTED} before {open_}"
    done = [results[name] for name in chosen if name in results]
    return Comparison(
        rows=tuple(row for rows, _ in done for row in rows),
        costs=tuple(cost for _, cost in done if cost is not None),
        stopped=stopped,
    )


def _refuse_incomparable(names: Sequence[str], designs: Sequence[Design]) -> None:
    first = designs[0]
    for it in designs:
        if it.world is not first.world:
            raise UsageError(
                f"{it.name} is of the world {it.world.name}, and {first.name} of "
                f"{first.world.name}: compare designs of one world"
            )
    for name, it in zip(names, designs, strict=True):
        if not build.known(it):
            raise UsageError(
                f"the world {it.world.name} has no scenarios yet, so there is nothing to compare "
                f"{it.name} by: use `pinlab sweep {name}`"
            )


@dataclass(frozen=True, slots=True)
class _How:
    """In which limits designs are compared, and under which memory model."""

    limits: Limits | None
    memory_model: str


_Compared = tuple[tuple[Row, ...], Cost | None, bytes | None]
"""What a design breaks, what it costs, and where that is kept: known where its program is."""


def _compared(
    designs: Sequence[Design], how: _How, jobs: int, there: Cluster | None
) -> Generator[tuple[int, _Compared], None, None]:
    """Number and result of each design, as they are finished here, or on a cluster."""
    if there is None:
        yield from as_finished(partial(_one, how), designs, jobs)
        return
    with closing(there.run(f"{__name__}:prepare", how, [sent(it) for it in designs])) as parts:
        yield from enumerate(parts)


def prepare(how: _How) -> Callable[[Sent], _Compared]:
    """On a node: who checks a design. Raises UsageError if it is not what was sent."""
    limits = room.bounded(how.limits, os.cpu_count() or 1)
    there = replace(how, limits=limits)
    return lambda it: _one(there, received(it))


def _one(how: _How, it: Design) -> _Compared:
    design = usable(it)
    found = check(design, limits=how.limits, memory_model=how.memory_model)
    counted = cost(design, how.limits) if is_counted(design.world) else None
    return found.rows, counted, kept.place(design, how.memory_model)
