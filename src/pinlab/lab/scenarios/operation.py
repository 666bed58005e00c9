"""What a thread, an interrupt or a device may do, and scenarios made of such operations.

`dio-read@1, fsync, zap@2` is three of them; where one works on a mapping, what stands behind @
says on which. Who is beside whom, from which state, is all that a scenario is: what must be there
for an operation (mappings, static keys, CPUs with a TLB) follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from pinlab.errors import UsageError
from pinlab.lab.layout import CHILD, CPUS, PRIVATE, PROCESS, SHARED, SHARED2
from pinlab.lab.scenarios.scenario import Reach, ReachFunction, Scenario, Task
from pinlab.lab.scenarios.state import State, mappings
from pinlab.nearest import nearest

PLACES: Final[Mapping[str, int]] = MappingProxyType(
    {"1": SHARED, "2": SHARED2, "private": PRIVATE, "child": CHILD}
)
"""What may stand behind @: the mapping of the file by the first or the second process, the first
one's private mapping, or what fork makes of that."""


class At(IntEnum):
    """An argument that depends on what stands behind @."""

    MM = -1
    VMA = -2


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that may be done.

    `tasks` do it, the first one of which is the program or kernel thread itself; their arguments
    may be of `At`. `places` are what may stand behind @, each with the kinds of pages (words of a
    state: file, dax, anon) that it is for there; without places, `pages` are the kinds. `needs` are
    further words of the state. `goal` says that it was really played.
    """

    name: str
    summary: str
    tasks: tuple[Task, ...]
    goal: Reach
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pages: tuple[str, ...] = ("file",)
    needs: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    """Words that the state must not have."""
    keys: tuple[str, ...] = ()
    """Static keys that it turns on."""
    also: tuple[int, ...] = ()
    """Mappings that it works on beside its own."""
    alone: tuple[str, ...] = ()
    """What there is but one of: two operations with one of these in common cannot be played."""
    beside: tuple[str, ...] = ()
    """What it waits for, so that another operation must have it among `alone`."""
    apart: tuple[str, ...] = ()
    """Operations that it is never beside, as its caller must see to that, or as what it checks at
    its end is not so then."""
    last: bool = False
    """Its mapping is the last one of the file: nobody beside it works through another one."""
    runs_user_code: bool = False
    """Its program's threads have a TLB, where somebody stores through one."""
    stores: bool = False
    """It stores through a TLB."""
    threads: int = 1
    """How many of its tasks run user code, the first ones."""
    goes_on: bool = False
    """It need not end, so that its books need not balance."""
    asks: tuple[str, ...] = ()
    """Objectives of the kind "this can always still happen" that are a question beside it alone, as
    it never ends."""
    probes: tuple[str, ...] = ()
    """Static keys that a probe decides; where one is off, no kernel of that design would do it."""
    is_variant: bool = False
    """Another one is much like it: it is not combined with more than one other."""
    misuse: str = ""
    """What it does against the contract of what it calls, whoever is beside it."""


def comes_to(function: str) -> ReachFunction:
    """The goal that somebody comes to a function."""
    return ReachFunction(f"{function}() is come to", function)


def one_task(name: str, function: Callable[..., Any], *args: int) -> tuple[Task, ...]:
    """The tasks of an operation that one thread does."""
    return (Task(name, function, args),)


@dataclass(frozen=True, slots=True)
class Played:
    """An operation, and the mapping it works on (0: none)."""

    operation: Operation
    place: str = ""

    @property
    def name(self) -> str:
        """As it is written: dio-read@1."""
        return f"{self.operation.name}@{self.place}" if self.place else self.operation.name

    @property
    def mapping(self) -> int:
        """The number of its mapping; 0 for none."""
        return PLACES[self.place] if self.place else 0

    def tasks(self) -> tuple[Task, ...]:
        """Its tasks, with this mapping as arguments."""
        values: dict[int, int] = {At.VMA: self.mapping, At.MM: PROCESS.get(self.mapping, 0)}
        return tuple(
            replace(
                task, args=tuple(values[arg] if isinstance(arg, At) else arg for arg in task.args)
            )
            for task in self.operation.tasks
        )

    def mappings(self) -> frozenset[int]:
        """The mappings that it works on."""
        own = {*self.operation.also, *([self.mapping] if self.mapping else [])}
        return frozenset({PRIVATE, CHILD} if "child" in self.operation.alone else own)


def played(
    words: str, known: Mapping[str, Operation], ask: str = "pinlab list operations"
) -> tuple[Played, ...]:
    """The operations that words say, as `dio-read@1, fsync`; `ask` is the command that has them.
    Raises UsageError."""
    found = []
    for word in filter(None, re.split(r"[\s,]+", words)):
        name, _, place = word.partition("@")
        if name not in known:
            raise UsageError(
                f"there is no operation {name!r}: {nearest(name, known)}; `{ask}` explains them"
            )
        operation = known[name]
        if not place and operation.places:
            place = next(iter(operation.places))
        if place and place not in operation.places:
            where = " or ".join(f"{name}@{each}" for each in operation.places)
            raise UsageError(f"{word} cannot be played: say {where or name}")
        found.append(Played(operation, place))
    if not found:
        raise UsageError(f"no operation is named; `{ask}` has them")
    return tuple(found)


def refusal(chosen: Sequence[Played], state: State, *, misuse: bool = False) -> str:
    """Why operations cannot be played beside each other from a state; empty if they can. With
    `misuse` they may be what a contract keeps apart."""
    for number, one in enumerate(chosen):
        operation = one.operation
        kinds = operation.places[one.place] if one.place else operation.pages
        if state.kind not in kinds:
            return f"{one.name} is for {' or '.join(kinds)} pages, and {state.name} has none"
        if missing := [word for word in operation.needs if not state.has(word)]:
            return f"{one.name} needs a state that is {missing[0]}"
        if wrong := [word for word in operation.never if state.has(word)]:
            return f"{one.name} cannot be played from a state that is {wrong[0]}"
        there = {it for other in chosen if other is not one for it in other.operation.alone}
        if lacking := set(operation.beside) - there:
            return f"{one.name} waits for a {min(lacking)}, and nobody beside it has one"
        for other in chosen[number + 1 :]:
            if shared := set(operation.alone) & set(other.operation.alone):
                return f"{one.name} beside {other.name}: the model has but one {min(shared)}"
            elsewhere = one.mapping and other.mapping and one.mapping != other.mapping
            if elsewhere and (operation.last or other.operation.last):
                return f"{one.name} beside {other.name}: one of them has the last mapping"
            apart = other.operation.name in operation.apart
            if not misuse and (apart or operation.name in other.operation.apart):
                return f"{one.name} is never beside {other.name}"
    if sum(len(each.operation.tasks) for each in chosen) > CPUS:
        return f"the model has {CPUS} CPUs, and they need more"
    return ""


def tasks(chosen: Sequence[Played]) -> tuple[Task, ...]:
    """Their tasks in order, each with a name of its own."""
    found: list[Task] = []
    taken: set[str] = set()
    for each in chosen:
        own = each.tasks()
        names = {task.name: _fresh(task.name, taken) for task in own}
        taken |= set(names.values())
        found += [
            replace(task, name=names[task.name], irq_of=task.irq_of and names[task.irq_of])
            for task in own
        ]
    return tuple(found)


def _fresh(name: str, taken: set[str]) -> str:
    number = 2
    fresh = name
    while fresh in taken:
        fresh, number = f"{name} {number}", number + 1
    return fresh


def initial(chosen: Sequence[Played], state: State) -> dict[str, tuple[int, ...]]:
    """The values of a state in which these are played: with the mappings that they work on, their
    static keys, and the CPUs of who runs user code."""
    used = set(state.mapped).union(*(each.mappings() for each in chosen))
    keys = {key: (1,) for each in chosen for key in each.operation.keys}
    cpus = [0] * CPUS
    has_tlb = any(each.operation.stores for each in chosen)
    at = 0
    for each in chosen:
        if has_tlb and (each.operation.stores or each.operation.runs_user_code):
            cpus[at : at + each.operation.threads] = [1] * each.operation.threads
        at += len(each.operation.tasks)
    return {
        **state.values,
        **mappings(used, is_file=state.kind != "anon"),
        **keys,
        **({"mm_cpumask": tuple(cpus)} if has_tlb else {}),
    }


def combined(
    chosen: Sequence[Played],
    state: State,
    judges: Iterable[str],
    *,
    reach: Iterable[Reach] | None = None,
    misuse: str = "",
) -> Scenario:
    """The scenario of some operations from a state. Without goals (`reach`) it has those of the
    operations. Raises UsageError if they cannot be played."""
    if why := refusal(chosen, state, misuse=bool(misuse)):
        raise UsageError(why)
    goals = [each.operation.goal for each in chosen] if reach is None else list(reach)
    return Scenario(
        name=name_of(chosen, state),
        summary=f"{', '.join(each.name for each in chosen)} from {state.name}",
        tasks=tasks(chosen),
        initial=initial(chosen, state),
        judges=tuple(judges),
        bounds="",
        reach=tuple(dict.fromkeys(goals)),
        misuse=misuse,
    )


def standing(
    known: Mapping[str, Operation],
    state: Callable[[str], State],
    name: str,
    summary: str,
    operations: str,
    words: str,
    *,
    judges: str,
    bounds: str,
    reach: tuple[Reach, ...] | None = None,
    unless: Mapping[str, tuple[str, ...]] | None = None,
    misuse: str = "",
) -> Scenario:
    """A scenario of the operations of a world, with a name of its own."""
    chosen = played(operations, known)
    made = combined(chosen, state(words), judges.split(), reach=reach, misuse=misuse)
    return replace(made, name=name, summary=summary, bounds=bounds, unless=unless or {})


def name_of(chosen: Sequence[Played], state: State) -> str:
    """The name of their scenario, one word: dio-read@1,fsync/dirty+buffers+rw."""
    return f"{','.join(each.name for each in chosen)}/{state.name.replace(' ', '+')}"
