"""What there is, each in a line: worlds, designs, scenarios, operations, states, objectives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from pinlab import objectives as objectives_
from pinlab.lab import asked, build, worlds
from pinlab.lab import design as designs_
from pinlab.lab.design import Design
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.results import Info
from pinlab.lab.trace import short
from pinlab.lab.world import World
from pinlab.objectives import Objective


def world_names() -> tuple[str, ...]:
    """The names of all worlds, the default one first."""
    return tuple(worlds.WORLDS)


def designs(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every design of a world: detectors, then policies."""
    return tuple(
        Info(d.name, d.summary.removeprefix(f"{d.name}: "), d.kind, short(d.path))
        for d in map(designs_.load, designs_.names(world))
    )


def described(it: Design) -> Info:
    """A design in a line; `path` is what `load` takes for it, if that is not its name. What
    somebody's patch is of is not to be seen from which functions it replaces."""
    is_ours = it.name in designs_.names(it.world)
    kind = it.kind if is_ours or it.base is None else "patch"
    word = "" if it.word == it.name else it.word
    return Info(it.name, it.summary.removeprefix(f"{it.name}: "), kind, word)


def scenarios(of: Design | World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every scenario of a world, or of a design: its world's and those that it brings."""
    known = of.scenarios() if isinstance(of, World) else asked.scenarios(of)
    return tuple(
        Info(
            s.name,
            f"{s.summary}; only by name: {s.misuse}" if s.misuse else s.summary,
            f"probe of {s.probes}" if s.probes else ", ".join(s.judges),
        )
        for s in known.values()
    )


def operations(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every operation of a world, with what may stand behind its name."""
    return tuple(
        Info(
            " ".join(f"{it.name}@{place}" for place in it.places) or it.name,
            f"{it.summary}; in a sweep only if named: {it.misuse}" if it.misuse else it.summary,
            "operation",
        )
        for it in world.operations.values()
    )


def states(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """The words that states are said in, and the states that operations are played from."""
    words = [Info(word, meaning, "word") for word, meaning in world.words.items()]
    played = (Info(each, "operations are played from it", "state") for each in world.states)
    return (*words, *played)


def combinations(design: Design, operations: str, words: str | None) -> tuple[str, ...]:
    """The scenarios of some operations of the design's world, by name, from one state or from each
    that fits. Raises UsageError if there is none."""
    return asked.combinations(operations, words, design.world)


def objectives(design: Design | None = None) -> Mapping[str, Objective]:
    """Every objective of the thread, and those that the design brings, by name."""
    return objectives_.load() if design is None else build.objectives_of(design)


def brought(design: Design) -> Mapping[str, tuple[Info, ...]]:
    """What a design replaces and adds: functions, fields, scenarios, objectives."""
    played = {s.name: s for s in scenarios(design)}
    return {
        "functions": tuple(
            Info(name, (inspect.getdoc(f.function) or "").partition("\n")[0], f.role, _place(f))
            for name, f in design.own.items()
        ),
        "fields": tuple(
            Info(name, f"+{bytes} B", "per_page") for name, bytes in design.fields.items()
        ),
        "scenarios": tuple(played[name] for name in design.scenarios),
        "objectives": tuple(map(Info.of, design.objectives.values())),
    }


def _place(function: KernelFunction) -> str:
    code = function.function.__code__
    return f"{short(code.co_filename)}:{code.co_firstlineno}"
