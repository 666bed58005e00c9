"""Which combinations of operations are asked, and from which states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Final

from pinlab.errors import UsageError
from pinlab.lab import build, worlds
from pinlab.lab.design import Design
from pinlab.lab.results import Broken, Wanted
from pinlab.lab.scenarios.operation import Operation, Played, played, refusal
from pinlab.lab.scenarios.state import State
from pinlab.lab.world import World
from pinlab.nearest import nearest

Combination = tuple[Played, ...]


Task = tuple[Combination, State]


Key = tuple[tuple[str, ...], str]
"""The names of a combination's operations, in order, and its state."""


MOST: Final = 4
"""Operations at a time: of five there are a million combinations, and most have more states."""


FEWER: Final = "objectives that fewer of the operations break"


CANNOT: Final = "cannot be beside each other, or not from that state"


ONE_PAGE: Final = "leave the second page of the state alone"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which combinations are explored."""

    size: int = 2
    operations: tuple[Played, ...] = ()
    """All that there are, but for those against a contract."""
    must: tuple[frozenset[str], ...] = ()
    """Sets of names of operations, as they are played: each combination has one of each set."""
    states: tuple[State, ...] = ()
    among: frozenset[tuple[tuple[str, ...], str]] | None = None
    """Names of operations, and a state: only these combinations, whatever fewer of them break; None
    for all."""


def ask(design: Design, wanted: Wanted) -> Asked:
    """What is asked of a design. Raises UsageError."""
    size = wanted.size
    if not 1 <= size <= MOST:
        raise UsageError(f"--size {size}: give 1 to {MOST} operations at a time")
    world = design.world
    named, left_out = _named(world, wanted.having), _named(world, wanted.without)
    every = [
        each
        for operation in world.operations.values()
        for each in places(operation)
        if each.name not in left_out
        if each.name in named or not (operation.misuse or (operation.is_variant and size > 2))
    ]
    must = [{each.name for each in every} & named] if named else []
    if must == [set()]:
        raise UsageError("--without leaves out all that --with asks for")
    if functions := {it for name in wanted.touching for it in _seen(design, name)}:
        must.append({each.name for each in every if functions & _comes_to(design, each)})
        if not must[-1]:
            raise UsageError(f"no operation comes to {' or '.join(sorted(functions))}")
    states = {it.name: it for it in map(world.state, wanted.states or world.states)}
    return Asked(size, tuple(every), tuple(map(frozenset, must)), tuple(states.values()))


def _named(world: World, words: str) -> frozenset[str]:
    """The operations that words name, as they are played: at all their mappings, if no @ says at
    which. Raises UsageError."""
    return frozenset(
        each.name
        for word in words.replace(",", " ").split()
        for given in played(word, world.operations, worlds.listing("operations", world))
        for each in ([given] if "@" in word else places(given.operation))
    )


def places(operation: Operation) -> Iterator[Played]:
    """The operation at each mapping that it may work on."""
    for place in operation.places or ("",):
        yield Played(operation, place)


def _seen(design: Design, name: str) -> frozenset[str]:
    """The functions of the program that stand for `name`: it itself, or whose expressions it is
    part of, if it is pure. Raises UsageError if there is none."""
    calls = build.program(design).calls
    if name in calls:
        return frozenset({name})
    known = design.world.functions
    if name not in known:
        raise UsageError(f"the model has no function {name!r}: {nearest(name, {*calls, *known})}")
    users = (it for it, made in known.items() if name in made.function.__code__.co_names)
    return frozenset().union(*(_seen(design, it) for it in users))


def _comes_to(design: Design, each: Played) -> frozenset[str]:
    starts = (task.kernel_function().__name__ for task in each.operation.tasks)
    return build.called_from(build.program(design).calls, starts)


def only(wanted: Asked, broken: Iterable[Broken]) -> Asked:
    """Of what is asked, the combinations in which something was broken."""
    return replace(wanted, among=frozenset((it.operations, it.state) for it in broken))


def possible(wanted: Asked, keys: Mapping[str, int]) -> Asked:
    """Without operations that no kernel of this design would do, as its probes say."""
    able = (
        each
        for each in wanted.operations
        if all(keys.get(name, 1) for name in each.operation.probes)
    )
    return replace(wanted, operations=tuple(able))


def combinations(wanted: Asked, size: int, skipped: Counter[str] | None = None) -> Iterator[Task]:
    """Those asked for, of `size` operations, state by state; `skipped` counts the rest, by why."""
    why_not: Counter[str] = Counter() if skipped is None else skipped
    for chosen, at in _possible_ones(wanted, size, why_not):
        if is_wanted(names_of(chosen), at.name, wanted):
            yield chosen, at


def _possible_ones(wanted: Asked, size: int, why_not: Counter[str]) -> Iterator[Task]:
    for at in wanted.states:
        here = [
            each for each in wanted.operations if each.operation.beside or not refusal((each,), at)
        ]
        for chosen in combinations_with_replacement(here, size):
            if refusal(chosen, at):
                why_not[CANNOT] += is_wanted(names_of(chosen), at.name, wanted)
            elif at.has("two") and not any("two" in each.operation.needs for each in chosen):
                why_not[ONE_PAGE] += is_wanted(names_of(chosen), at.name, wanted)
            else:
                yield chosen, at


def levels(wanted: Asked, skipped: Counter[str]) -> list[list[Task]]:
    """What is explored, by size: those asked for and, as what fewer operations break is not said of
    more, those that one operation less leaves of them."""
    found: list[list[Task]] = []
    parts: set[Key] = set()
    for size in range(wanted.size, 0, -1):
        level = [
            (chosen, at)
            for chosen, at in _possible_ones(wanted, size, skipped)
            if is_wanted(names_of(chosen), at.name, wanted) or key(chosen, at) in parts
        ]
        if wanted.among is None:
            parts = {key(less, at) for chosen, at in level for less in fewer(chosen)}
        found.insert(0, level)
    return found


def is_wanted(names: tuple[str, ...], at: str, wanted: Asked) -> bool:
    """Whether a combination is one of those asked for."""
    if wanted.among is not None and (names, at) not in wanted.among:
        return False
    return all(any(name in some for name in names) for some in wanted.must)


def names_of(chosen: Combination) -> tuple[str, ...]:
    """The names of its operations."""
    return tuple(each.name for each in chosen)


def fewer(chosen: Combination) -> Iterator[Combination]:
    """The combinations of one operation less."""
    for number in range(len(chosen)):
        yield chosen[:number] + chosen[number + 1 :]


def key(chosen: Combination, at: State) -> Key:
    """By what a combination is known, in whatever order its operations stand."""
    return _sorted(chosen), at.name


def _sorted(chosen: Iterable[Played]) -> tuple[str, ...]:
    return tuple(sorted(each.name for each in chosen))
