"""What a file brings beside functions: scenarios, with tasks, and objectives of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import ModuleType
from typing import TypeVar

from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab.scenarios.scenario import Scenario, clash
from pinlab.lab.world import World
from pinlab.nearest import nearest
from pinlab.objectives import Objective
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.progress import Progress

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
"""What can be written on a command line without quotes, and shown in any table."""

Kind = TypeVar("Kind")


def own_objectives(module: ModuleType) -> dict[str, Objective]:
    """The objectives that the module defines, by name. Raises UsageError."""
    known = objectives.load()
    taken = {name.lower() for name in known}
    found: dict[str, Objective] = {}
    defined: list[Objective] = [*_defined(module, Automaton, known.values())]
    defined += _defined(module, Progress, known.values())
    for it in defined:
        _refuse_name(module, "objective", it.name)
        if it.name.lower() in taken:
            raise UsageError(
                f"{module.__file__}: there is an objective {it.name} already: give yours another "
                "name; `pinlab list objectives` names them"
            )
        states = it.states if isinstance(it, Automaton) else ()
        if not all(word.isprintable() for word in (it.claim, it.source, *states)):
            raise UsageError(
                f"{module.__file__}: objective {it.name}: claim, source and name of a state are "
                "each one line of text"
            )
        for state in states:
            _refuse_name(module, "state", state)
        _refuse_events(module, it)
        taken.add(it.name.lower())
        found[it.name] = it
    return found


def _refuse_events(module: ModuleType, it: Objective) -> None:
    """An event that never happens would violate nothing, and the objective would hold."""
    where = f"{module.__file__}: objective {it.name}"
    events = [it.event] if isinstance(it, Progress) and it.event is not None else []
    if isinstance(it, Automaton):
        events = [event for _, event in (*it.step, *it.bad)]
    for event in events:
        if event not in list(Event):
            hint = nearest(str(event), [each.value for each in Event])
            raise UsageError(f"{where}: there is no event {event!r}: {hint}")
    if isinstance(it, Automaton) and not any(state in _reachable(it) for state, _ in it.bad):
        raise UsageError(f"{where}: nothing can violate it: no state of `bad` can be reached")


def _reachable(it: Automaton) -> set[str]:
    found, todo = {it.states[0]}, [it.states[0]]
    while todo:
        state = todo.pop()
        after = {target for (source, _), target in it.step.items() if source == state} - found
        found |= after
        todo += after
    return found


def own_scenarios(module: ModuleType, world: World, judges: Collection[str]) -> dict[str, Scenario]:
    """The scenarios that the module defines, by name; `judges` are the names of the objectives
    there are. Raises UsageError."""
    known = world.scenarios()
    found: dict[str, Scenario] = {}
    for it in _defined(module, Scenario, known.values()):
        _refuse_name(module, "scenario", it.name)
        fault = clash(it, [*known.values(), *found.values()])
        if it.probes:
            fault = "only the package asks probes: leave `probes` out, and name what it judges"
        elif not it.judges and not fault:
            fault = "it judges nothing: name objectives in `judges`"
        try:
            it.fit(judges)
        except ValueError as error:
            fault = fault or str(error)
        if fault:
            raise UsageError(f"{module.__file__}: scenario {it.name}: {fault}")
        found[it.name] = it
    return found


def started(brought: Mapping[str, Scenario]) -> frozenset[str]:
    """The names of the functions in which tasks of these scenarios start."""
    return frozenset(
        task.kernel_function().__name__ for each in brought.values() for task in each.tasks
    )


def _defined(module: ModuleType, kind: type[Kind], known: Collection[object]) -> Iterator[Kind]:
    """What the module has of this kind and the package has not, each once."""
    seen = {id(it) for it in known}
    for name, value in vars(module).items():
        inside = value.values() if isinstance(value, dict) else value
        if isinstance(value, list | tuple | dict) and any(isinstance(it, kind) for it in inside):
            raise UsageError(
                f"{module.__file__}: {name} holds scenarios or objectives where nobody looks: give "
                "each of them a name at module level"
            )
        if isinstance(value, kind) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _refuse_name(module: ModuleType, kind: str, name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(
            f"{module.__file__}: {kind} {name!r}: a name is letters, digits, dots, dashes and "
            "underscores, and begins with a letter or a digit"
        )
