"""The score: which mutants of the model are noticed, by what, and which are not."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final

from pinlab.errors import UsageError
from pinlab.lab import build, compiled, ledger
from pinlab.lab import design as designs
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, machine
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.mutants import equivalent
from pinlab.lab.mutants.base import SIZE, Asking, Base, OnDone, asked, base, elsewhere
from pinlab.lab.mutants.hunt import MANY, Asked, Hunt, hunt, known, read, written
from pinlab.lab.mutants.mutation import Mutant, mutants
from pinlab.lab.mutants.results import EQUIVALENT, KILLED, SURVIVED, UNKNOWN, Score, Scored
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Wanted
from pinlab.lab.trace import short
from pinlab.nearest import nearest

PROGRAMS = frozenset({"tasks", "ghost", "types", "keys"})
"""Modules of a model whose functions are no kernel's: what programs do, and what nobody knows."""

CODE: Final = ("lab/mutants", "lab/sweep", "lab/orders.py", "lab/probes.py")
"""What says which mutants are hunted where, beside models and engine."""

Item = tuple[Mutant, int | None]
"""A mutant, and in how many combinations it is hunted at most; None for all."""

Calls = Mapping[str, frozenset[str]]
"""Which functions each one calls."""

Keys = Callable[[Design], Mapping[str, int]]
"""What the static keys say of a design."""


def functions(design: Design) -> Mapping[str, KernelFunction]:
    """The functions of which there are mutants: of a patch or a design of somebody's own those that
    it replaces, else those of the model."""
    if design.own:
        return {name: it for name, it in design.own.items() if it.role != "pure"}
    return {
        name: it
        for name, it in design.world.functions.items()
        if it.role != "pure" and it.__module__.rsplit(".", 1)[-1] not in PROGRAMS
    }


def chosen(design: Design, names: Sequence[str]) -> tuple[Mutant, ...]:
    """The mutants of some functions, of all if none is named. Raises UsageError."""
    there = functions(design)
    for name in names:
        if name not in there:
            raise UsageError(f"no mutants of {name!r}: {nearest(name, there)}")
    return tuple(it for name in names or there for it in mutants(there[name]))


def _is_for(mutant: Mutant, at_home: Hunt, other: Design, calls: Calls | None) -> bool:
    """Whether another design may notice what this one did not: it replaces something that is named
    in what is changed and does nothing here, or comes to what nothing came to here. With `calls`,
    those of functions, also if it replaces what the function hears from, at first or second hand,
    and to change a test, or anything without a difference, may show there."""
    hooks = other.replaced.keys()
    if mutant.function in hooks or not at_home.executing:
        return mutant.function not in hooks
    near = mutant.names
    if calls is not None and (not at_home.changed or mutant.kind in ("negated", "unchecked")):
        called = calls.get(mutant.function, frozenset())
        near = near.union(called, *(calls.get(it, ()) for it in called))
    return bool(near & hooks)


def score(
    design: Design,
    wanted: Sequence[Mutant],
    keys: Keys,
    jobs: int,
    on_asked: OnDone | None = None,
    on_done: OnDone | None = None,
    *,
    hunting: bool = True,
) -> Score:
    """Ask a design, hunt mutants in it, then those that are left in the designs that ask for what
    they change. Without `hunting` only what was found before is told. Ctrl-C ends it: what was not
    hunted is unknown, and what was is kept."""
    start = time.perf_counter()
    stopped = None
    # of the model they are argued; a function of somebody's own that looks alike is another one
    reasons = {} if design.own else equivalent.reasons(design.world.name)
    found = _kept(design, wanted, reasons)
    left = [it for it in wanted if it not in found]
    try:
        if left:
            home = _home(design, left, keys, jobs, on_asked, hunting)
            hunts = _everywhere(home, left, reasons, keys, jobs, on_done, hunting)
            _keep(design, left, reasons, hunts)
            found |= zip(left, hunts, strict=True)
    except KeyboardInterrupt:
        stopped = choose.INTERRUPTED
        home = _home(design, left, keys, jobs, None, False)
        hunts = _everywhere(home, left, reasons, keys, jobs, None, False)
        found |= zip(left, hunts, strict=True)
    scored = tuple(
        _scored(mutant, it, reasons.get(equivalent.name_of(mutant), ""))
        for mutant, it in ((each, found[each]) for each in wanted)
        if it is None or not _is_none(it)
    )
    if design.own:
        scored = tuple(_beside_the_model(it, design) for it in scored)
    seconds = time.perf_counter() - start
    return Score(design.name, design.world.name, scored, seconds, stopped)


def _by_function(
    design: Design, wanted: Sequence[Mutant], reasons: Mapping[equivalent.Name, str]
) -> Iterator[tuple[bytes, list[Mutant]]]:
    """The mutants of each function, with a digest of all that their score depends on: to look up
    what each hunt is kept under takes half a minute."""
    common = hashlib.sha256(f"score {ledger.engine()} {compiled.package()}".encode())
    common.update(compiled.digest(CODE).encode())
    common.update(ledger.digest(build.program(design)).encode())
    groups: dict[str, list[Mutant]] = {}
    for mutant in wanted:
        groups.setdefault(mutant.function, []).append(mutant)
    for own in groups.values():
        key = common.copy()
        for mutant in own:
            is_argued = equivalent.name_of(mutant) in reasons
            key.update(f"{is_argued} {mutant.text}\0".encode())
        yield key.digest(), own


def _kept(
    design: Design, wanted: Sequence[Mutant], reasons: Mapping[equivalent.Name, str]
) -> dict[Mutant, Hunt | None]:
    """The hunts of functions of which all mutants were hunted before."""
    found: dict[Mutant, Hunt | None] = {}
    for key, own in _by_function(design, wanted, reasons):
        kept = ledger.store().get(key)
        if kept is not None:
            found |= zip(own, map(read, kept.splitlines()), strict=True)
    return found


def _keep(
    design: Design,
    wanted: Sequence[Mutant],
    reasons: Mapping[equivalent.Name, str],
    hunts: Sequence[Hunt | None],
) -> None:
    """Those of each function of which all were hunted."""
    found = dict(zip(wanted, hunts, strict=True))
    for key, own in _by_function(design, wanted, reasons):
        hunted = [written(it) for mutant in own if (it := found[mutant]) is not None]
        if len(hunted) == len(own):
            ledger.store().put(key, b"\n".join(hunted))


def _everywhere(
    home: Base | None,
    wanted: Sequence[Mutant],
    reasons: Mapping[equivalent.Name, str],
    keys: Keys,
    jobs: int,
    on_done: OnDone | None,
    hunting: bool,
) -> list[Hunt | None]:
    if home is None:
        return [None for _ in wanted]
    design = home.asking.design
    calls = home.program.calls
    argued = [equivalent.name_of(it) in reasons for it in wanted]
    items = [(it, MANY if why else None) for it, why in zip(wanted, argued, strict=True)]
    at_home = _hunted(home, items, jobs, on_done, hunting)
    found = list(at_home)
    for name in () if design.own else designs.names(design.world):
        other = designs.load(name)
        left = [
            number
            for number, (it, now) in enumerate(zip(at_home, found, strict=True))
            if it is not None and not _is_none(it) and name != design.name
            if now is not None and now.kill is None and not now.refused
            if _is_for(wanted[number], it, other, None if argued[number] else calls)
        ]
        if not left:
            continue
        there = elsewhere(home, other, keys(other))
        more = _hunted(there, [(wanted[it], MANY) for it in left], jobs, on_done, hunting)
        for number, it in zip(left, more, strict=True):
            found[number] = _joined(found[number], it)
    return found


def _home(
    design: Design,
    wanted: Sequence[Mutant],
    keys: Keys,
    jobs: int,
    on_asked: OnDone | None,
    hunting: bool,
) -> Base | None:
    """The design itself, asked in every combination that may come to what is wrong; None if that
    is not known, and nothing is to be explored."""
    reached = frozenset(it.function for it in wanted) & build.program(design).calls.keys()
    if not reached:
        return asked(Asking(design, keys(design)), (), jobs)
    touching = Wanted(SIZE, touching=tuple(sorted(reached)))
    return base(design, keys(design), jobs, on_asked, touching, exploring=hunting)


def _is_none(it: Hunt) -> bool:
    """Whether it is no mutant: it cannot be compiled, or is what was there."""
    return bool(it.refused or it.is_same)


def _joined(one: Hunt | None, more: Hunt | None) -> Hunt | None:
    if one is None or more is None:
        return None
    if more.refused:  # what a hook that does nothing takes need not fit one that does
        return more
    return replace(
        one,
        kill=more.kill,
        executing=one.executing + more.explored,
        explored=one.explored + more.explored,
        cut_off=one.cut_off + more.cut_off,
        changed=one.changed + more.changed,
    )


def _hunted(
    it: Asked, wanted: Sequence[Item], jobs: int, on_done: OnDone | None, hunting: bool
) -> list[Hunt | None]:
    if not hunting:
        return [known(mutant, it, most) for mutant, most in wanted]
    machine.load(it.program)  # once for all processes
    found: list[Hunt | None] = []
    with closing(in_processes(partial(_hunt_one, it), wanted, jobs)) as parts:
        for each in parts:
            found.append(each)
            if on_done is not None:
                on_done(len(found), len(wanted))
    return found


def _hunt_one(it: Asked, item: Item) -> Hunt:
    mutant, most = item
    return hunt(mutant, it, most)


def _scored(mutant: Mutant, it: Hunt | None, reason: str) -> Scored:
    status, why = _status(it, reason)
    return Scored(
        function=mutant.function,
        file=short(mutant.file),
        line=mutant.line,
        kind=mutant.kind,
        what=mutant.what,
        status=status,
        by=None if it is None else it.kill,
        why=why,
    )


def _beside_the_model(it: Scored, design: Design) -> Scored:
    """Of what survives in somebody's own function what is known of the model's: that is no verdict,
    as the function may have changed elsewhere."""
    if it.status != SURVIVED:
        return it
    reason = equivalent.reasons(design.world.name).get((it.function, it.kind, it.what))
    if reason is not None:
        return replace(it, why=f"{it.why}; of the model it is argued: {reason}")
    hooks = {name for name, each in design.world.functions.items() if each.role == "hook"}
    named = sorted(hooks.intersection(re.findall(r"\w+", it.what)) - design.own.keys())
    if not named:
        return it
    asked = f"a design that replaces the hook {named[0]}() may notice: ask DESIGN+PATCH"
    return replace(it, why=f"{it.why}; {asked}")


def _status(it: Hunt | None, reason: str) -> tuple[str, str]:
    if it is None:
        return UNKNOWN, ""
    if it.kill is not None:
        return KILLED, ""
    if reason:
        return EQUIVALENT, reason
    if not it.executing:
        return SURVIVED, "no combination executes it"
    said = [f"{it.executing:,} combinations execute it", f"{it.changed:,} change"]
    said += [f"{it.cut_off:,} cut off"] if it.cut_off else []
    return SURVIVED, ", ".join(said)
