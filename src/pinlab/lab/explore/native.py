"""The native explorer: the same exploration as reference.py, as machine code.

This file holds no rule of the model. It lays a system out as arrays, lets search.py run over
them in shares of some milliseconds, and turns what was found into an `Exploration`. Every
path it reports is replayed in the interpreter first.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from pinlab.lab.explore import machine, rest, search, tables
from pinlab.lab.explore.arrays import model, of_nodes
from pinlab.lab.explore.assembly import CONTEXT, WATCHED
from pinlab.lab.explore.column import Column
from pinlab.lab.explore.initial import pack
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.reference import deadlock_message
from pinlab.lab.explore.result import (
    DEADLOCK,
    INTERRUPTED,
    AlwaysPossible,
    Audit,
    Exploration,
    Limits,
    Move,
    OnProgress,
    Path,
    Progress,
    Site,
    Way,
    words,
)
from pinlab.lab.explore.squeeze import squeeze
from pinlab.lab.language.program import System

SHARE = 1 << 16
"""States expanded between two looks at the clock: less than a tenth of a second."""

BATCH = 512
NO_LIMIT = 1 << 62


class ExplorersDisagree(AssertionError):
    """A path found by machine code does not replay in the interpreter: a bug of pinlab."""


def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
    *,
    everywhere: bool = False,
    audit: Audit | None = None,
    known: Collection[str] = (),
) -> Exploration:
    """Visit every state breadth-first; the same result as reference.explore, but that what is
    `known` (an automaton, `words` of a failure, a progress property, what the audit says) has an
    empty path: most of the time goes into paths.

    Raises ranges.TooWide if the program computes beyond 63 bits, ValueError for a system
    that is malformed, ExplorersDisagree if pinlab is wrong.
    """
    limits = limits or Limits()
    start = time.perf_counter()
    run = Interpreter(system)
    code = machine.load(system.program)
    found = _Search(run, code, progress, everywhere)
    stopped = None
    try:
        while (status := found.go_on(limits)) != tables.FINISHED:
            seconds = time.perf_counter() - start
            if status == tables.TOO_MANY:
                stopped = f"more than {limits.max_states:,} states"
            elif status == tables.FULL:
                stopped = limits.full(found.bytes())
            elif status == tables.BROKE:
                run.replay(found.path(0))
                raise ExplorersDisagree("machine code broke off where the interpreter goes on")
            elif limits.seconds is not None and seconds > limits.seconds:
                stopped = f"more than {limits.seconds:g} seconds"
            if stopped is not None:
                break
            if on_progress is not None:
                on_progress(found.report(seconds))
    except KeyboardInterrupt:
        stopped = INTERRUPTED
    hit = found.hits(known)
    return Exploration(
        states=found.states,
        transitions=int(found.counters[tables.TRANSITIONS]),
        depth=found.depth,
        hits=hit.hits,
        covered=frozenset(np.flatnonzero(found.covered).tolist()),
        complete=stopped is None,
        seconds=time.perf_counter() - start,
        memory_bytes=found.bytes(),
        stopped=stopped,
        messages=hit.messages,
        failures=hit.failures,
        ways=hit.ways if everywhere else {},
        stuck=found.stuck(known) if stopped is None else {},
        unbalanced=found.unbalanced(audit, known) if audit is not None else {},
    )


@dataclass(frozen=True, slots=True)
class _Hits:
    """What `Exploration` has under these names."""

    hits: dict[str, Path] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    failures: dict[Site, Path] = field(default_factory=dict)
    ways: dict[Way, Path] = field(default_factory=dict)


class _Search:
    """The arrays of one search."""

    def __init__(
        self,
        run: Interpreter,
        code: machine.Code,
        progress: tuple[AlwaysPossible, ...],
        everywhere: bool,
    ) -> None:
        if len(progress) > 32:
            raise ValueError("more than 32 progress properties")
        self.run = run
        self.code = code
        self.progress = progress
        system, program, place = run.system, run.program, code.assembly.place
        first = pack(system, place, run.places.frames, run.initial())
        self.stored = stored = squeeze(system, place, first)
        self.model, self.tables = model(run, code, stored, progress)
        self.moves = len(system.actors) * int(of_nodes(program)[1].max())
        self.room = BATCH + self.moves
        self.counters = np.zeros(tables.COUNTERS, np.int64)
        self.covered = np.zeros(len(program.nodes), np.uint8)
        self.places = len(program.nodes) if everywhere else 1
        sorts = tables.AUTOMATA + len(code.assembly.sites)
        self.hit = np.full((sorts * self.places, 3), -1, np.int64)
        watched = (1 << i for i, a in enumerate(program.automata) if a.name in system.watch)
        context = np.zeros(CONTEXT, np.int64)
        context[WATCHED] = np.uint64(sum(watched)).astype(np.int64)
        self.batch = (
            first,
            np.zeros(len(first), np.uint64),
            np.zeros(len(first) + 1, np.uint64),
            np.zeros((self.room, stored.words), np.uint64),
            np.zeros(self.room, np.uint64),
            np.zeros(self.room, np.uint32),
            context,
        )
        found = (self.counters, self.covered, self.hit)
        self.work = tables.Work(
            self.room,
            self.moves,
            self.places,
            *(array.ctypes.data for array in (*self.batch, *found)),
        )
        self.state_words = Column(np.uint64, stored.words)
        self.parents = Column(np.uint32)
        self.edges = Column(np.uint32)
        self.degrees = Column(np.uint32)
        self.goals = Column(np.uint32)
        self.table = np.zeros(1 << (4 * self.room).bit_length(), np.uint32)
        search.squeeze(self.model, first.ctypes.data, self.state_words.address)
        self.counters[tables.STATES] = self.counters[tables.LEVEL_END] = 1
        search.rehash(self.model, self._store(), 1)

    def _store(self) -> tables.Store:
        """Where everything is now; out of date after the next `_grow`."""
        return tables.Store(
            capacity=self.parents.rows,
            states=self.state_words.address,
            parents=self.parents.address,
            size=len(self.table),
            table=self.table.ctypes.data,
            edge_capacity=self.edges.rows,
            edges=self.edges.address,
            degrees=self.degrees.address,
            goals=self.goals.address,
        )

    @property
    def states(self) -> int:
        return int(self.counters[tables.STATES])

    @property
    def depth(self) -> int:
        beyond = self.counters[tables.STATES] > self.counters[tables.LEVEL_END]
        return int(self.counters[tables.LEVEL] + beyond)

    def bytes(self) -> int:
        """What the store holds: states, parents, the whole table, edges."""
        used = self.states * (self.state_words.row_bytes + self.parents.row_bytes)
        if self.progress:
            used += self.states * (self.degrees.row_bytes + self.goals.row_bytes)
            used += int(self.counters[tables.EDGES]) * self.edges.row_bytes
        return used + self.table.nbytes

    def report(self, seconds: float) -> Progress:
        """The figures so far."""
        c = self.counters
        frontier = self.states - int(c[tables.NEXT])
        level = int(c[tables.LEVEL])
        transitions = int(c[tables.TRANSITIONS])
        return Progress(self.states, transitions, frontier, level, seconds, self.bytes())

    def go_on(self, limits: Limits) -> int:
        """Search for a share. FULL only if the memory allowed or present is not enough."""
        most = NO_LIMIT if limits.max_states is None else limits.max_states
        allowed = NO_LIMIT if limits.memory_bytes is None else limits.memory_bytes
        if self.bytes() > allowed:
            return tables.FULL
        status = search.search(self.model, self.work, self._store(), most, SHARE)
        if status != tables.FULL:
            return status
        try:
            grown = self._grow(allowed)
        except MemoryError:
            grown = False
        return tables.AGAIN if grown else tables.FULL

    def _grow(self, allowed: int) -> bool:
        """Make room for at least a batch more; False if that is not allowed."""
        rows = self.states + self.room
        self.state_words.reserve(rows)
        self.parents.reserve(rows)
        if self.progress:
            self.degrees.reserve(rows)
            self.goals.reserve(rows)
            self.edges.reserve(int(self.counters[tables.EDGES]) + self.room)
        if rows * 10 > len(self.table) * 7:
            size = 2 * len(self.table)
            if size > 1 << 32 or self.bytes() + self.table.nbytes > allowed:
                return False
            self.table = np.zeros(0, np.uint32)  # the old one goes before the new one comes
            self.table = np.zeros(size, np.uint32)
            search.rehash(self.model, self._store(), self.states)
        return True

    # -------------------------------------------------------------------------- results

    def path_to(self, state: int) -> Path:
        """The moves by which `state` was first reached."""
        moves: list[Move] = []
        store = self._store()
        while state != 0:
            parent = int(self.parents.array[state])
            actor, choice = search.find_move(self.model, self.work, store, parent, state)
            if actor < 0:
                raise ExplorersDisagree(f"no move leads from state {parent} to {state}")
            moves.append(Move(int(actor), int(choice)))
            state = parent
        return tuple(reversed(moves))

    def path(self, row: int) -> Path:
        """The moves up to and with the one that hit this row of the hits."""
        state, actor, choice = self.hit[row].tolist()
        last = () if actor < 0 else (Move(actor, choice),)
        return self.path_to(state) + last

    def hits(self, known: Collection[str]) -> _Hits:
        """What was hit, with the messages, and at which nodes: each path replayed in the
        interpreter."""
        found = _Hits()
        rows = np.flatnonzero(self.hit[:, 0] >= 0).tolist()
        for i in sorted(rows, key=lambda i: (*self.hit[i].tolist(), i)):
            what, place = divmod(i, self.places)
            if what < tables.AUTOMATA:
                word = self.run.program.automata[what].name
            else:
                word = words(self.code.assembly.sites[what - tables.AUTOMATA])
            if word in known:
                self._note(found, what)
                continue
            path = self.path(i)
            states, last = self.run.replay(path)
            about = ""
            if what < tables.AUTOMATA:
                name = self.run.program.automata[what].name
                agreed = last is not None and name in last.violated
            else:
                site = self.code.assembly.sites[what - tables.AUTOMATA]
                kind, about = site
                name = f"failure:{kind}"
                if site == DEADLOCK:
                    agreed = not any(True for _ in self.run.moves(states))
                    message = deadlock_message(self.run, states)
                else:
                    failure = last.failure if last is not None else None
                    agreed = failure is not None and failure.site == site
                    message = failure.message if failure is not None else ""
                found.messages.setdefault(name, message)
                found.failures.setdefault(site, path)
            if not agreed:
                raise ExplorersDisagree(f"{name} {about}: {path}")
            found.ways[name, place, about] = path
            found.hits.setdefault(name, path)
        return found

    def _note(self, found: _Hits, what: int) -> None:
        """That something was hit, without how."""
        if what < tables.AUTOMATA:
            found.hits.setdefault(self.run.program.automata[what].name, ())
        else:
            site = self.code.assembly.sites[what - tables.AUTOMATA]
            found.hits.setdefault(f"failure:{site[0]}", ())
            found.failures.setdefault(site, ())

    def stuck(self, known: Collection[str]) -> dict[str, Path]:
        """For each progress property that can be lost, the path to the nearest such state."""
        if not self.progress:
            return {}
        search.spread_goals(self._store(), self.states, int(self.counters[tables.EDGES]))
        found: dict[str, Path] = {}
        for i, p in enumerate(self.progress):
            lost = np.flatnonzero(self.goals.array[: self.states] & np.uint32(1 << i) == 0)
            if len(lost):
                found[p.name] = () if p.name in known else self.path_to(int(lost[0]))
        return found

    def unbalanced(self, audit: Audit, known: Collection[str]) -> dict[str, Path]:
        """For each thing that `audit` says of a state at rest, the path to the first such state:
        replayed in the interpreter, which must agree."""
        visited = int(self.counters[tables.NEXT])
        rows = self.state_words.array[:visited].reshape(visited, self.stored.words)
        first: dict[str, int] = {}
        for number, shared in rest.states(
            self.run.system, self.code.assembly.place, self.stored, rows
        ):
            for word in audit(shared):
                first.setdefault(word, number)
        found = {
            word: () if word in known else self.path_to(number) for word, number in first.items()
        }
        for word, path in found.items():
            if word in known:
                continue
            state, _ = self.run.replay(path)
            if not self.run.finished(state) or word not in audit(self.run.shared(state)):
                raise ExplorersDisagree(f"{word}: {path}")
        return found
