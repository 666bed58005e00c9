"""Where pages go: a graph of places over all files, and what can be reached in it.

A place of a function is a node; a member of a structure is one node for the whole kernel, told
apart by the structure's name. Assignments, arguments and results are edges. A walk that has gone
down into a function by a call does not come up again through another caller, unless it went by
way of a member, which anybody may read.

What this cannot see: pointers into structures that are copied, arithmetic that makes a page out of
an address, and calls through pointers that no initialiser sets. A walk that ends there has found
nothing, which is never taken for a proof.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pinlab.audit.api import (
    DIRTY,
    EXCHANGES,
    HOLDERS,
    LOOPS,
    PUT,
    SAME,
    STOPS,
    STORES,
    UNPIN,
    Family,
)
from pinlab.audit.facts import Call, Function, Loose, Unit, Value

CORE: Final = re.compile(
    r"(mm|lib|kernel|block|net/core|include/linux|arch/\w+/(mm|lib))/|fs/[^/]*$"
)
"""Files whose functions let go of what is their own: they are entered by the names below only."""

LETS_GO: Final = re.compile(r"release|free|put|unpin|destroy|drop|undo|unmap")
"""Names of functions that are entered wherever they stand."""

_CARRIERS: Final = frozenset().union(*HOLDERS.values())

CROWD: Final = 12
"""A member that more functions than these stand in is no way to find one of them."""


class Place(NamedTuple):
    """A node: what kind of place, where it belongs to, its name."""

    kind: str
    """local, result, return, field (of a structure by name), member (of one unknown), global."""
    owner: str
    name: str

    @property
    def is_shared(self) -> bool:
        """Whether others than the function at hand may get at it later."""
        return self.kind in ("field", "member", "global")


class Key(NamedTuple):
    """A function by where it stands."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"


@dataclass(frozen=True, slots=True)
class Release:
    """A call that lets go, and of what."""

    at: Key
    call: Call
    family: Family
    places: tuple[Place, ...]


class _Edge(NamedTuple):
    to: Place
    step: int
    """-1 up to a caller, +1 down into a callee, 0 within."""


@dataclass(slots=True)
class Graph:
    """All files' places. The edges of a function are made when a walk first comes to it."""

    functions: dict[Key, Function] = field(default_factory=dict)
    structs: dict[str, dict[str, str]] = field(default_factory=dict)
    named: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """Per member of a table: (file, function)."""
    tabled: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Per file: the members that its tables set."""
    behind_which: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Per function: the members of tables that it stands in."""
    own: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Structures that a .c file defines for itself."""
    calling: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    """Per name: the functions that call it."""
    hidden: dict[str, list[Loose]] = field(default_factory=lambda: defaultdict(list))
    """Per file: what lets go of something where it cannot be followed."""
    seconds: list[tuple[Key, Function]] = field(default_factory=list)
    """Further definitions of a name in a file, behind an #else most likely: nobody follows them."""
    macros: dict[str, Loose] = field(default_factory=dict)
    """Per macro that lets go of something: where."""
    defines: dict[str, frozenset[str]] = field(default_factory=dict)
    """Per file: the macros with parameters that it defines."""
    globals: dict[str, frozenset[str]] = field(default_factory=dict)
    """Per file: the variables that it shares with others."""
    touching: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    """Per member of a structure: the functions that have it in a place."""

    edges: dict[Place, list[_Edge]] = field(default_factory=lambda: defaultdict(list))
    releases: dict[Place, list[Release]] = field(default_factory=lambda: defaultdict(list))
    handed: dict[Place, list[tuple[Key, Call]]] = field(default_factory=lambda: defaultdict(list))
    """Places that are an argument of a function that is not known."""
    kept: set[Place] = field(default_factory=set)
    """Members that a function writes by way of a pointer: what is in them outlives it."""
    _callers: dict[Key, list[tuple[Key, Call]]] = field(default_factory=lambda: defaultdict(list))
    _made: set[Key] = field(default_factory=set)
    _complete: set[Place] = field(default_factory=set)

    def place(self, at: Key, value: str) -> Place | None:
        """The node of a place as a function writes it; None if no pages can be there."""
        function = self.functions[at]
        root, *members = value.split(".")
        if root.startswith("#"):
            here = Place("result", str(at), root)
        elif root in function.types:
            if function.types[root] == "int":
                return None
            here = Place("local", str(at), root)
        else:
            shared = root in self.globals.get(at.path, ())
            here = Place("global", "" if shared else at.path, root)
        of = function.types.get(root) or None
        for member in members:
            if of in HOLDERS:
                if member not in HOLDERS[of]:
                    return None
                of = self._member_type(of, member) or of
                continue
            if of is None:
                if here.is_shared and member in _CARRIERS:
                    continue  # of a type that was not read, and most likely one of HOLDERS
                here = Place("member", at.path, member)
            else:
                named, member = SAME.get((of, member), (of, member))
                owner = f"{at.path} {named}" if named in self.own[at.path] else named
                here = Place("field", owner, member)
            of = self._member_type(of, member)
        return here

    def places(self, at: Key, value: Value) -> tuple[Place, ...]:
        """The nodes of a value."""
        found = (self.place(at, each) for each in value)
        return tuple(each for each in found if each is not None)

    def _member_type(self, of: str | None, member: str) -> str | None:
        return None if of is None else self.structs.get(of, {}).get(member)

    def resolve(self, at: Key, call: Call) -> list[Key]:
        """The functions that a call may come to."""
        own = Key(at.path, call.name)
        if call.name in STOPS:
            return []
        if call.name in UNPIN or call.name in PUT or call.name in DIRTY:
            mine = self.functions.get(own)
            return [own] if mine and mine.static and at.path.endswith(".c") else []
        if call.through:
            return self._through(at, call.name)
        if own in self.functions:
            return [own]
        return [
            key
            for key in self.named.get(call.name, ())
            if not self.functions[key].static or key.path.endswith(".h")
            if may_enter(key.name, key.path)
        ]

    def _through(self, at: Key, member: str) -> list[Key]:
        keys = set()
        for path, name in self.behind(at, member):
            own = Key(path, name)
            if own in self.functions:
                keys.add(own)
            else:
                keys.update(key for key in self.named.get(name, ()) if _near(key.path, path))
        return sorted(keys)

    def behind(self, at: Key, member: str) -> set[tuple[str, str]]:
        """(file, function) that initialisers put into a member; none if they are too many."""
        found = self.tables.get(member, set())
        near = {(path, name) for path, name in found if folder(path) == folder(at.path)}
        chosen = near or found
        return chosen if len(chosen) <= CROWD else set()

    def add(self, units: Iterable[Unit]) -> None:
        """Join more files to it."""
        new: dict[Key, Function] = {}
        for unit in units:
            self.hidden[unit.path] = list(unit.hidden)
            self.macros.update({each.function: each for each in unit.hidden if each.macro})
            self.defines[unit.path] = unit.macros
            self.globals[unit.path] = unit.globals
            for member, name in unit.tables:
                self.tables[member].add((unit.path, name))
                self.tabled[unit.path].add(member)
                self.behind_which[name].add(member)
            for of, members in unit.structs.items():
                if unit.path.endswith(".c"):
                    self.own[unit.path].add(of)
                self.structs.setdefault(of, {}).update(members)
            for function in unit.functions:
                key = Key(unit.path, function.name)
                if new.setdefault(key, function) is not function:
                    self._hide(key, function)
        for key, function in new.items():
            self._index(key, function)
        # Who calls one of them was made without it.
        for name in {key.name for key in new}:
            for caller in (name, *self.behind_which.get(name, ())):
                self._made.difference_update(self.calling.get(caller, ()))
        self._complete.clear()

    def _hide(self, key: Key, function: Function) -> None:
        """Note a second definition of a name, and what it lets go of."""
        self.seconds.append((key, function))
        self.hidden[key.path] += [
            Loose(each.name, key.name, each.line, False)
            for each in function.calls
            if each.name in PUT
        ]

    def _index(self, key: Key, function: Function) -> None:
        self.functions[key] = function
        self.named[key.name].append(key)
        for name in {each.name for each in function.calls}:
            self.calling[name].append(key)
        for name in function.members:
            self.touching[name].append(key)
        for name in {place.partition(".")[0] for place in _values(function)}:
            if name not in function.types and not name.startswith("#"):
                self.touching[name].append(key)

    def callers(self, callee: Key) -> list[tuple[Key, Call]]:
        """Every call that may come to a function."""
        for name in (callee.name, *self.behind_which.get(callee.name, ())):
            for key in self.calling.get(name, ()):
                self.make(key)
        return self._callers.get(callee, [])

    def out_of(self, place: Place) -> list[_Edge]:
        """The edges out of a place, after all functions that have some were made."""
        if place not in self._complete:
            self._complete.add(place)
            if place.is_shared:
                for key in self.touching.get(place.name, ()):
                    self.make(key)
            else:
                key = key_of(place.owner)
                self.make(key)
                function = self.functions[key]
                if place.kind == "return" or place.name in function.params:
                    self.callers(key)
        return self.edges.get(place, [])

    def make(self, key: Key) -> None:
        """The edges of a function."""
        if key in self._made:
            return
        self._made.add(key)
        function = self.functions[key]
        for flow in function.flows:
            to = self.place(key, flow.to)
            self._keep(key, (flow.to,))
            for each in flow.value:
                start = self.place(key, each)
                self._join(start, to)
                if flow.whole and not each.startswith("#"):
                    self._join(to, start)
        out = Place("return", str(key), "")
        for value, _ in function.returns:
            for place in self.places(key, value):
                self._join(place, out)
        for number, call in enumerate(function.calls):
            self._make_call(key, number, call)

    def _keep(self, key: Key, value: Value) -> None:
        """Note the members that are written and are not those of an object on the stack."""
        objects = self.functions[key].objects
        for each in value:
            place = self.place(key, each)
            if place is not None and place.is_shared and each.split(".")[0] not in objects:
                self.kept.add(place)

    def _make_call(self, key: Key, number: int, call: Call) -> None:
        if call.name in STORES or call.name in LOOPS:
            start, end = (STORES | LOOPS)[call.name]
            if call.name in EXCHANGES and start < len(call.args):
                for old in self.places(key, call.args[end]):
                    self._join(old, Place("result", str(key), f"#{number}"))
            if max(start, end) < len(call.args):
                for one in self.places(key, call.args[start]):
                    for other in self.places(key, call.args[end]):
                        self._join(one, other)
                        if call.name in LOOPS:
                            self._join(other, one)
                        else:
                            self._keep(key, call.args[end])
            return
        for value in call.args:
            self._keep(key, value)
        family = Family.pin if call.name in UNPIN else Family.get if call.name in PUT else None
        callees = self.resolve(key, call)
        if family is not None and not callees:
            at = (UNPIN | PUT)[call.name]
            if at < len(call.args):
                places = self.places(key, call.args[at])
                release = Release(key, call, family, places)
                for place in places:
                    self.releases[place].append(release)
            return
        result = Place("result", str(key), f"#{number}")
        for callee in callees:
            self._callers[callee].append((key, call))
            self._join(Place("return", str(callee), ""), result, -1)
            for value, param in zip(call.args, self.functions[callee].params, strict=False):
                there = Place("local", str(callee), param)
                for here in self.places(key, value):
                    self._join(here, there, 1)
                    self._join(there, here, -1)
        if not callees:
            for value in call.args:
                for place in self.places(key, value):
                    self.handed[place].append((key, call))

    def _join(self, here: Place | None, there: Place | None, step: int = 0) -> None:
        if here is not None and there is not None and here != there:
            self.edges[here].append(_Edge(there, step))


def _values(function: Function) -> Iterator[str]:
    """Every place that a function speaks of."""
    for flow in function.flows:
        yield from flow.value
        yield flow.to
    for call in function.calls:
        for value in call.args:
            yield from value
    for value, _ in function.returns:
        yield from value


def folder(path: str) -> str:
    """The folder of a file."""
    return path.rpartition("/")[0]


def key_of(owner: str) -> Key:
    """The function of a place's owner."""
    path, _, name = owner.rpartition(":")
    return Key(path, name)


def _near(one: str, other: str) -> bool:
    """Whether two files are of one subsystem."""
    return one.split("/")[:-1][:3] == other.split("/")[:-1][:3]


def may_enter(name: str, path: str) -> bool:
    """Whether a function of another file is followed into."""
    return not CORE.match(path) or LETS_GO.search(name) is not None


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be reached from some places: each with where the walk came from."""

    came: Mapping[Place, Place | None]

    def __contains__(self, place: object) -> bool:
        return place in self.came

    def __iter__(self) -> Iterator[Place]:
        return iter(self.came)


def reach(made: Graph, starts: Iterable[Place]) -> Reach:
    """All places to which pages at `starts` may go."""
    came: dict[Place, Place | None] = dict.fromkeys(starts)
    done: set[tuple[Place, bool]] = set()
    todo = [(place, True) for place in came]
    while todo:
        here, may_rise = todo.pop()
        may_rise = may_rise or here.is_shared
        if (here, may_rise) in done or (not may_rise and (here, True) in done):
            continue
        done.add((here, may_rise))
        for to, step in made.out_of(here):
            if step < 0 and not may_rise:
                continue
            came.setdefault(to, here)
            todo.append((to, may_rise and step <= 0))
    return Reach(came)
