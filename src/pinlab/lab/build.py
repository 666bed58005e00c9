"""From a design and a scenario to a system that an explorer can visit.

A design is compiled once, together with everything that any scenario starts: its scenarios
differ only in actors and initial values, so they share the program and its machine code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab import compiled, weak
from pinlab.lab.audited import Audited
from pinlab.lab.design import Design
from pinlab.lab.explore.result import AlwaysPossible
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.language.program import SC, Actor, Program, System
from pinlab.lab.scenarios.operation import Operation
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario
from pinlab.nearest import nearest
from pinlab.objectives import Objective
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.balance import Balance
from pinlab.objectives.build import sequence
from pinlab.objectives.progress import Progress


def known(design: Design) -> dict[str, Scenario]:
    """The scenarios of the design's world and its own, by name."""
    return {**design.world.scenarios(), **design.scenarios}


def objectives_of(design: Design) -> dict[str, Objective]:
    """The objectives of the thread and the design's own, by name."""
    return {**objectives.load(), **design.objectives}


def automata(design: Design) -> tuple[Automaton, ...]:
    """Every safety objective, then every goal of any scenario."""
    found = {o.name: o for o in objectives_of(design).values() if isinstance(o, Automaton)}
    for scenario in known(design).values():
        goals = (goal for goal in scenario.reach if isinstance(goal, ReachEvents))
        found |= {goal.name: _goal(goal) for goal in goals}
    return tuple(found.values())


def _goal(reach: ReachEvents) -> Automaton:
    return sequence(reach.name, reach.events, reach.broken_by)


_programs: dict[tuple[object, ...], tuple[Design, Program]] = {}
"""By what makes them; the design is kept, so that nothing else gets an identity out of it."""


def program(design: Design) -> Program:
    """The program of a design, for every scenario. Raises LanguageError."""
    brought = (design.replaced, design.scenarios, design.objectives)
    named = (tuple(sorted((name, id(it)) for name, it in each.items())) for each in brought)
    key = (design.world, *named)
    if key not in _programs:
        is_ours = not (design.scenarios or design.objectives)
        program = compiled.program(*_parts(design), is_ours=is_ours)
        _programs[key] = design, program
    return _programs[key][1]


def passing(design: Design, digested: Collection[str]) -> Program:
    """The program of a design that nobody will ask for again, with the digests of these functions
    alone. Raises LanguageError."""
    return compile_program(*_parts(design), digested)


def _parts(
    design: Design,
) -> tuple[tuple[KernelFunction, ...], Mapping[str, KernelFunction], tuple[Automaton, ...], int]:
    """What a program is compiled from."""
    roots = _roots(known(design).values(), design.world.operations.values())
    return roots, design.replaced, automata(design), design.world.judged.count


def _roots(
    played: Iterable[Scenario], operations: Iterable[Operation]
) -> tuple[KernelFunction, ...]:
    """The functions in which tasks start. Raises UsageError if two have one name, by which an actor
    knows where it starts."""
    found: dict[str, KernelFunction] = {}
    tasks = [task for scenario in played for task in scenario.tasks]
    tasks += [task for operation in operations for task in operation.tasks]
    for function in (task.kernel_function() for task in tasks):
        other = found.setdefault(function.__name__, function)
        if other is not function:
            places = f"{_where(other)} and {_where(function)}"
            raise UsageError(
                f"tasks start in two functions called {function.__name__}, {places}: rename one"
            )
    return tuple(found.values())


def _where(function: KernelFunction) -> str:
    code = function.function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def called(program: Program, chosen: Iterable[Scenario]) -> frozenset[str]:
    """Every kernel function that the tasks of these scenarios can come to."""
    return called_from(
        program.calls, (task.kernel_function().__name__ for s in chosen for task in s.tasks)
    )


def called_from(calls: Mapping[str, frozenset[str]], functions: Iterable[str]) -> frozenset[str]:
    """`functions`, and every one that they can come to, by who calls whom."""
    found: set[str] = set()
    todo = list(functions)
    while todo:
        function = todo.pop()
        if function not in found:
            found.add(function)
            todo += calls[function]
    return frozenset(found)


def system(
    design: Design,
    scenario: Scenario,
    keys: Mapping[str, int],
    judged: Iterable[str] | None = None,
    memory_model: str = SC,
) -> System:
    """The scenario played by the design. `keys` are static keys set for this run; `judged` are
    the objectives to watch (None: all that the scenario judges). Raises UsageError if the
    scenario does not fit the model."""
    if scenario.fault:
        raise UsageError(f"scenario {scenario.name}: {scenario.fault}")
    code = program(design)
    number = {task.name: i for i, task in enumerate(scenario.tasks)}
    actors = tuple(
        Actor(
            task.name,
            task.kernel_function().__name__,
            task.args,
            None if task.irq_of is None else number[task.irq_of],
            task.daemon,
        )
        for task in scenario.tasks
    )
    declared = {var.name for var in code.vars}
    for name in scenario.initial:
        if name not in declared | design.world.variables:
            hint = nearest(name, declared | design.world.variables)
            raise UsageError(f"scenario {scenario.name}: there is no variable {name!r}: {hint}")
    values = {**scenario.initial, **{name: (value,) for name, value in keys.items()}}
    initial = {name: value for name, value in values.items() if name in declared}
    watch = {a.name for a in code.automata} & set(scenario.judges if judged is None else judged)
    watch |= {goal.name for goal in scenario.reach if isinstance(goal, ReachEvents)}
    try:
        return weak.under(System(code, actors, initial, tuple(sorted(watch))), memory_model)
    except weak.Unsupported as error:
        raise UsageError(f"{memory_model} cannot be had: {error}") from error
    except ValueError as error:
        raise UsageError(f"scenario {scenario.name}: {error}") from error


def audit(design: Design, scenario: Scenario, judged: Iterable[str]) -> Audited | None:
    """What judges the states at rest, if an objective that is judged is about them. Raises
    UsageError if the design's world has nothing to judge them by."""
    known = objectives_of(design)
    asking = [name for name in judged if isinstance(known[name], Balance)]
    if not asking:
        return None
    if design.world.books is None:
        raise UsageError(f"the world {design.world.name} keeps no books: {asking[0]} is not asked")
    books = design.world.books
    about = (books.__module__, books.__qualname__, sorted(scenario.initial.items()))
    ours = books.__module__.startswith("pinlab.")
    return Audited(books(scenario.initial), scenario.initial, repr(about) if ours else "")


def progress(
    design: Design, scenario: Scenario, judged: Iterable[str] | None = None
) -> tuple[AlwaysPossible, ...]:
    """The objectives of the other kind that the scenario judges."""
    names = set(scenario.judges if judged is None else judged)
    return tuple(
        AlwaysPossible(o.name, None if o.event is None else str(o.event))
        for o in objectives_of(design).values()
        if isinstance(o, Progress) and o.name in names
    )
