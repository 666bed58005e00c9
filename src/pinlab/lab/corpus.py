"""The corpus of known bugs: each played with it and without, and looked for without being told.

A bug is a file of `pinlab/lab/bugs/` that defines `BUG` (see bug.py) and, as a patch to its world,
brings the bug back.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Final

import pinlab.lab.bugs
from pinlab.errors import UsageError
from pinlab.lab import asked, check, loaded, probes
from pinlab.lab import sweep as sweeps
from pinlab.lab.bug import Bug, Replaced, Reproduced, Side, Source
from pinlab.lab.design import Design
from pinlab.lab.explore import room
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import CheckResult, First, Trace, Wanted
from pinlab.lab.trace import short
from pinlab.nearest import nearest
from pinlab.objectives.verdict import Outcome, Verdict, worst

SIZES: Final = (1, 2, 3)
"""Operations at a time, in the search for a bug."""

Tell = Callable[[str], None]


def bugs() -> Mapping[str, Bug]:
    """Every bug of the corpus by number, in order."""
    return MappingProxyType({number: module.BUG for number, module in _modules().items()})


def bug(number: str) -> Bug:
    """One of them. Raises UsageError if there is none of this number."""
    known = bugs()
    if number.upper() not in known:
        raise UsageError(f"there is no bug {number!r}: {nearest(number.upper(), known)}")
    return known[number.upper()]


@cache
def _modules() -> Mapping[str, ModuleType]:
    package = pinlab.lab.bugs
    found = [
        importlib.import_module(f"{package.__name__}.{info.name}")
        for info in pkgutil.iter_modules(package.__path__)
    ]
    return {it.BUG.number: it for it in sorted(found, key=lambda it: int(it.BUG.number[1:]))}


def sides(it: Bug) -> tuple[Design, Design]:
    """A bug's world with the bug and without it. Raises UsageError."""
    if it.mended_by:
        mended = loaded.load_design(it.mended_by)
        return loaded.load_design(mended.world.empty), mended
    buggy = loaded.load_design(str(_modules()[it.number].__file__))
    return buggy, loaded.load_design(buggy.base or buggy.world.empty)


def changed(it: Bug) -> tuple[str, ...]:
    """The functions that make a bug's two sides."""
    buggy, fixed = sides(it)
    return tuple((fixed if it.mended_by else buggy).own)


def reproduce(
    it: Bug, *, limits: Limits | None = None, jobs: int | None = None, tell: Tell | None = None
) -> Reproduced:
    """Play a bug's operations with it and without, then look for it. Ctrl-C ends it, and what that
    leaves open is unknown. Raises UsageError."""
    found = play(it, limits=limits, tell=tell)
    if found.search.stopped != UNSOUGHT:
        return found
    return replace(found, search=look(it, limits=limits, jobs=jobs, tell=tell))


UNSOUGHT: Final = "it was not looked for"


def play(it: Bug, *, limits: Limits | None = None, tell: Tell | None = None) -> Reproduced:
    """Play a bug's operations with it and without. Ctrl-C ends it. Raises UsageError."""
    say = tell or (lambda _: None)
    module = _modules()[it.number]
    buggy, fixed = sides(it)
    (name,) = asked.combinations(it.operations, it.state, buggy.world)
    say(f"{it.number}: with the bug")
    broken = check.check(buggy, (name,), limits=limits)
    stopped = broken.stopped
    mended = None
    if stopped is None:
        say(f"{it.number}: without it")
        mended = check.check(fixed, (name,), limits=limits)
        stopped = mended.stopped
    return Reproduced(
        bug=it,
        story=inspect.cleandoc(module.__doc__ or ""),
        world=buggy.world.name,
        buggy=_side(broken, it.objective),
        fixed=_side(mended, it.objective),
        search=First(None, 0, 0, 0, stopped=stopped or UNSOUGHT),
        replaced=tuple(
            Replaced(each, _source(buggy, each), _source(fixed, each)) for each in changed(it)
        ),
        trace=_shortest(broken, it.objective),
    )


def look(
    it: Bug, *, limits: Limits | None = None, jobs: int | None = None, tell: Tell | None = None
) -> First:
    """Look for a bug by whoever is told which functions were changed, and nothing else: all that
    can come to one of them is played, one operation, then two, then three. Raises UsageError."""
    buggy, fixed = sides(it)
    workers = jobs or os.cpu_count() or 1
    limits = room.bounded(limits, workers)
    if limits.max_states is None:
        limits = replace(limits, max_states=sweeps.MAX_STATES)

    def told(done: int, of: int) -> None:
        if tell is not None:
            tell(f"{it.number}: looked at {done:,} of {of:,} combinations of this size")

    return sweeps.first(
        buggy,
        probes.probe(buggy).known,
        fixed,
        probes.probe(fixed).known,
        _levels(buggy, changed(it), it.without),
        limits=limits,
        jobs=workers,
        on_sweep=told,
    )


def _levels(design: Design, functions: tuple[str, ...], without: str) -> Iterator[sweeps.Asked]:
    """What is looked at, size by size. Raises UsageError if no operation comes to the functions."""
    for size in SIZES:
        try:
            wanted = sweeps.ask(design, Wanted(size, without=without, touching=functions))
        except UsageError:
            if size == SIZES[0]:
                raise
            return  # only variants come to them, of which there are never three
        yield wanted


def _side(found: CheckResult | None, objective: str) -> Side:
    """The verdict on an objective in all orders of one combination. One that has no row is of what
    no line there can violate, if it was explored to the end."""
    if found is None:
        return Side(Verdict.unknown("it was stopped before"), 0)
    states = sum({row.scenario: row.states for row in found.rows}.values())
    rows = [row.verdict for row in found.rows if row.objective == objective]
    if rows:
        return Side(worst(rows), states)
    if found.unfinished or not found.rows:
        return Side(Verdict.unknown("it was not explored to the end"), states)
    return Side(Verdict.holds("nothing that is played can violate it"), states)


def _shortest(found: CheckResult, objective: str) -> Callable[[], Trace] | None:
    rows = [
        row
        for row in found.rows
        if row.objective == objective and row.verdict.outcome is Outcome.VIOLATED
    ]
    shortest = min(rows, key=lambda row: row.steps or 0, default=None)
    return None if shortest is None else found.traces[objective, shortest.scenario]


def _source(design: Design, name: str) -> Source:
    function = design.replaced.get(name, design.world.functions[name]).function
    lines, first = inspect.getsourcelines(function)
    return Source(short(inspect.getfile(function)), first, "".join(lines).rstrip())
