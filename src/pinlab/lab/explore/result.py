"""What an exploration found: the same type from both explorers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

INTERRUPTED = "interrupted"
"""What `Exploration.stopped` says after Ctrl-C."""


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """One transition: which actor takes a step, and what it picks if the step has choices."""

    actor: int
    choice: int = 0


Path = tuple[Move, ...]
"""Moves from the initial state. Replayed by the interpreter it becomes a trace."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on an exploration; reaching one ends it as incomplete, never as a pass."""

    max_states: int | None = None
    seconds: float | None = None
    memory_bytes: int | None = None

    def full(self, held: int) -> str:
        """What `Exploration.stopped` says when there is no more memory to `held` bytes."""
        size = self.memory_bytes or held
        unit, name = (2**20, "MiB") if size >= 2**20 else (2**10, "KiB")
        return f"memory limit ({size / unit:,.0f} {name})"


@dataclass(frozen=True, slots=True)
class Progress:
    """A report while exploring. `memory_bytes` is what the store of states holds."""

    states: int
    transitions: int
    frontier: int
    depth: int
    seconds: float
    memory_bytes: int


OnProgress = Callable[[Progress], None]

Audit = Callable[[Mapping[str, Sequence[int]]], Iterable[str]]
"""Says what is wrong in a state at rest, in words: one in which every actor that has to finish has
(`Interpreter.finished`; daemons and interrupt handlers do not count). It is given the shared
variables, name -> values, one per element; those of the automata are not among them. Of the same
values it must always say the same: it may be asked about them once, or again for a check."""

Site = tuple[str, str]
"""A failure as told apart from others: its kind, and what it is about: the message of an assertion,
the variable that has no such value or element. There is one deadlock, and one livelock."""


def words(site: Site) -> str:
    """A failure in words."""
    kind, about = site
    return f"{kind}: {about}" if about else kind


DEADLOCK: Site = ("deadlock", "")
LIVELOCK: Site = ("livelock", "")

Way = tuple[str, int, str]
"""What was hit (as `Exploration.hits` names it), at which node (0 for a deadlock), and of a failure
what it is about."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """The outcome of visiting the states of a system breadth-first.

    `hits` maps what was hit to a shortest path whose last move hits it: the name of an
    automaton (a violation or, for a goal, its being reached) or "failure:" + a kind of
    `FAILURE_KINDS`. A failing move leads to no state; a violating one goes on. `stuck` maps
    the name of a progress property to a shortest path to a state from which it can no longer
    come true. `unbalanced` maps what an audit says to a shortest path to a state at rest of which
    it says so, among those that were visited. `messages` holds, for each failure in `hits`, its
    text; `failures` tells those of one kind apart. `covered` are the nodes that were executed.
    `depth` is the largest number of moves a state needs. `complete` is false if a limit or the
    user ended the exploration; `stopped` then says what did.
    """

    states: int
    transitions: int
    depth: int
    hits: Mapping[str, Path]
    covered: frozenset[int]
    complete: bool
    seconds: float
    memory_bytes: int
    stopped: str | None = None
    messages: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[Site, Path] = field(default_factory=dict)
    stuck: Mapping[str, Path] = field(default_factory=dict)
    unbalanced: Mapping[str, Path] = field(default_factory=dict)
    ways: Mapping[Way, Path] = field(default_factory=dict)
    """A shortest path for each node that hit something, if that was asked for: one bug may hide
    another that takes longer."""


@dataclass(frozen=True, slots=True)
class AlwaysPossible:
    """A progress property: from every reachable state, the goal can still come true.

    Over a finite graph this is "the goal comes true under strong fairness of all steps".
    The goal is either that every actor which is no daemon finishes (`event` None), or that
    `event` happens (to any page). A step that fails counts as if the goal came true: what
    would follow it is not known.
    """

    name: str
    event: str | None = None
