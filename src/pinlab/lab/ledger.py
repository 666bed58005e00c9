"""What was explored once is not explored again.

An exploration is kept under a digest of all that it can come to: the functions that its tasks may
call, what it begins with, who watches, what is asked of it, and pinlab's own code that explores. An
edit runs again only what reaches it. What a limit of time or memory ended is not kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from pinlab.lab import build, compiled
from pinlab.lab.audited import LENGTH, Audited
from pinlab.lab.explore import choose
from pinlab.lab.explore.memo import per_program
from pinlab.lab.explore.objectcache import cache_folder
from pinlab.lab.explore.result import AlwaysPossible, Exploration, Limits, Move, OnProgress
from pinlab.lab.explore.result import Path as Moves
from pinlab.lab.language.program import SC, Program, System
from pinlab.lab.store import Store

ENGINE: Final = (
    *("lab/language", "lab/explore", "lab/weak", "objectives"),
    *("lab/build.py", "lab/audited.py", "lab/ledger.py", "lab/layout.py"),
    *("lab/books.py", "lab/linux/types.py"),
    *("lab/today/books.py", "lab/today/linux/types.py"),
)
"""Folders and files of pinlab that an exploration depends on, whatever is explored."""


@cache
def store() -> Store:
    """Where explorations are kept."""
    return Store(cache_folder(), "explored")


def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
    *,
    engine: str = "auto",
    everywhere: bool = False,
    audit: Audited | None = None,
) -> Exploration:
    """As `choose.explore`, and kept; what was kept is not explored. Who names an engine wants to
    see it run."""
    limits = limits or Limits()
    if engine != "auto" or (audit is not None and not audit.about):
        return choose.explore(
            system,
            limits,
            progress,
            on_progress,
            engine=engine,
            everywhere=everywhere,
            audit=audit,
        )
    kept = recall(system, limits, progress, everywhere=everywhere, audit=audit)
    if kept is not None:
        return kept
    found = choose.explore(
        system, limits, progress, on_progress, everywhere=everywhere, audit=audit
    )
    at = key(system, progress, audit, everywhere=everywhere)
    if found.complete or _is_full(found):
        place = at if found.complete else _cut_off(at, limits)
        store().put(place, _written(found, system.program, audit.ends if audit else ()))
    return found


def recall(
    system: System,
    limits: Limits,
    progress: tuple[AlwaysPossible, ...] = (),
    *,
    everywhere: bool = False,
    audit: Audited | None = None,
) -> Exploration | None:
    """An exploration that was kept, if it keeps to the limit of states, or one that this very limit
    had ended; None if there is neither."""
    at = key(system, progress, audit, everywhere=everywhere)
    for place in (at, _cut_off(at, limits)):
        kept = store().get(place)
        if kept is None:
            continue
        found, ends = _read(kept, system.program)
        most = limits.max_states
        if not found.complete or most is None or found.states <= most:
            if audit is not None:
                audit.remember(ends)
            return found
    return None


def _is_full(found: Exploration) -> bool:
    """Whether the limit of states ended it, and nothing else."""
    return found.stopped is not None and found.stopped.endswith("states")


def _cut_off(at: bytes, limits: Limits) -> bytes:
    return hashlib.sha256(at + str(limits.max_states).encode()).digest()


# ------------------------------------------------------------------------------------- the key


def key(
    system: System, progress: Iterable[AlwaysPossible], audit: Audited | None, *, everywhere: bool
) -> bytes:
    """The digest of all that an exploration can come to, 32 bytes."""
    program = system.program
    watched = sorted(system.watch)
    parts = (
        engine(),
        program.memory_model,
        _functions(program, system),
        repr(system.actors),
        repr(sorted(system.initial.items())),
        *(_automata(program)[name] for name in watched),
        str(program.vars[program.automaton_vars[0]].length if watched else 0),
        repr(tuple(progress)),
        audit.about if audit else "",
        str(everywhere),
    )
    return hashlib.sha256("\0".join(parts).encode()).digest()


@per_program
def _automata(program: Program) -> dict[str, str]:
    """What each automaton is, by name, in an order that is always the same."""
    return {
        it.name: repr(
            (
                it.states,
                sorted((state, str(event), after) for (state, event), after in it.step.items()),
                sorted((state, str(event)) for state, event in it.bad),
                sorted(it.saturated),
            )
        )
        for it in program.automata
    }


def _functions(program: Program, system: System) -> str:
    """What the actors' functions, and those that they may call, are. A memory model is a pass over
    the whole program."""
    if program.memory_model != SC:
        return _digest_of(program, program.digests)
    entries = frozenset(actor.entry for actor in system.actors)
    known = _slices(program)
    if entries not in known:
        known[entries] = _digest_of(program, build.called_from(program.calls, entries))
    return known[entries]


@per_program
def _slices(program: Program) -> dict[frozenset[str], str]:
    return {}


def _digest_of(program: Program, functions: Iterable[str]) -> str:
    said = repr(sorted((name, program.digests[name]) for name in functions))
    return hashlib.sha256(said.encode()).hexdigest()


@per_program
def digest(program: Program) -> str:
    """The digest of a whole program: its functions, and who watches."""
    said = repr((_digest_of(program, program.digests), sorted(_automata(program).items())))
    return hashlib.sha256(said.encode()).hexdigest()


@cache
def engine() -> str:
    """The digest of pinlab's own code that an exploration depends on, and of what that runs on."""
    return " ".join([compiled.digest(ENGINE), *map(version, ("numba", "llvmlite", "numpy"))])


# ----------------------------------------------------------------------------------- the entry


@dataclass(frozen=True, slots=True)
class _Places:
    """Nodes by what does not change when other functions do: which one of its function's it is."""

    of: tuple[tuple[str, int], ...]
    nodes: Mapping[str, tuple[int, ...]]


@per_program
def _places(program: Program) -> _Places:
    nodes: dict[str, list[int]] = {}
    of = []
    for number, node in enumerate(program.nodes):
        own = nodes.setdefault(node.function, [])
        of.append((node.function, len(own)))
        own.append(number)
    return _Places(tuple(of), {name: tuple(own) for name, own in nodes.items()})


def _written(found: Exploration, program: Program, ends: Iterable[str]) -> bytes:
    places = _places(program)
    covered: dict[str, list[int]] = {}
    for number in sorted(found.covered):
        function, at = places.of[number]
        covered.setdefault(function, []).append(at)
    said = {
        "counts": [found.states, found.transitions, found.depth, found.memory_bytes],
        "seconds": found.seconds,
        "complete": found.complete,
        "stopped": found.stopped,
        "ends": "".join(sorted(ends)),
        "covered": covered,
        "hits": _moves(found.hits),
        "stuck": _moves(found.stuck),
        "unbalanced": _moves(found.unbalanced),
        "messages": dict(found.messages),
        "failures": [[*site, _path(path)] for site, path in found.failures.items()],
        "ways": [
            [what, *places.of[node], about, _path(path)]
            for (what, node, about), path in found.ways.items()
        ],
    }
    return json.dumps(said, separators=(",", ":")).encode()


def _read(kept: bytes, program: Program) -> tuple[Exploration, list[str]]:
    said: dict[str, Any] = json.loads(kept)
    nodes = _places(program).nodes
    states, transitions, depth, memory = said["counts"]
    found = Exploration(
        states=states,
        transitions=transitions,
        depth=depth,
        hits=_paths(said["hits"]),
        covered=frozenset(nodes[name][at] for name, own in said["covered"].items() for at in own),
        complete=said["complete"],
        seconds=said["seconds"],
        memory_bytes=memory,
        stopped=said["stopped"],
        messages=said["messages"],
        failures={(kind, about): _read_path(it) for kind, about, it in said["failures"]},
        stuck=_paths(said["stuck"]),
        unbalanced=_paths(said["unbalanced"]),
        ways={
            (what, nodes[function][at], about): _read_path(it)
            for what, function, at, about, it in said["ways"]
        },
    )
    return found, re.findall("." * LENGTH, said["ends"])


def _moves(paths: Mapping[str, Moves]) -> dict[str, str]:
    return {name: _path(path) for name, path in paths.items()}


def _paths(said: Mapping[str, str]) -> dict[str, Moves]:
    return {name: _read_path(path) for name, path in said.items()}


def _path(path: Moves) -> str:
    return " ".join(_move(each) for each in path)


def _move(move: Move) -> str:
    return f"{move.actor}:{move.choice}" if move.choice else str(move.actor)


def _read_path(said: str) -> Moves:
    return tuple(_read_moves(said))


def _read_moves(said: str) -> Iterator[Move]:
    for word in said.split():
        actor, _, choice = word.partition(":")
        yield Move(int(actor), int(choice or 0))
