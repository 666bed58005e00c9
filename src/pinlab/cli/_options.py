"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pinlab import objectives
from pinlab.cli._lab import lab
from pinlab.errors import UsageError
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import Info
from pinlab.output import check


class Engine(StrEnum):
    """Which explorer runs: machine code, or the slow one that is obviously right."""

    auto = "auto"
    native = "native"
    interpreter = "interpreter"


class MemoryModel(StrEnum):
    """In which order others see what a CPU does."""

    sc = "sc"
    x86_tso = "x86-tso"
    arm64 = "arm64"


UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def parse_size(text: str, option: str = "--memory") -> int:
    """How many bytes "512M" or "2GiB" are. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    size = 0.0 if match is None else float(match[1]) * UNITS[match[2]]
    if not 1 <= size < math.inf:
        raise UsageError(f"{option} {text!r} is no size; write a number like 512M or 2G")
    return int(size)


SHORTEST = 0.05
"""Seconds between two pictures of the same, at least."""

LONGEST = 366 * 86_400.0
"""Seconds: a year, which is as good as no limit, and a clock can still say it."""


def time_of(seconds: float, option: str, least: float = 0.0) -> float:
    """`seconds`, if one can wait as long. Raises UsageError."""
    if not least <= seconds <= LONGEST:
        raise UsageError(
            f"{option} {seconds:g} is no time: give seconds from {least:g} to {LONGEST:.0f}, a year"
        )
    return seconds


def require_one_source(**sources: object) -> None:
    """Raise UsageError if more than one of some options, by their names, has a value."""
    given = [f"--{name}" for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"only one source can be read, not {' and '.join(given)}: leave one out")


def require_page(output: Path | None, json: bool, watch: float | None = None) -> None:
    """Raise UsageError unless a page can be written, known before the work is done."""
    if output is None:
        return
    if json or watch is not None:
        raise UsageError("-o writes a page, --json and --watch print: give one of them")
    if output.suffix != ".html":
        raise UsageError(f"cannot tell what to write to {output}: name it .html, for a page")
    check(output)


def limits(max_states: int | None, timeout: float | None, memory: str | None) -> Limits:
    """The limits of an exploration from the values of the options below."""
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g} leaves no time; give seconds above 0")
    return Limits(max_states, timeout, None if memory is None else parse_size(memory))


def _world_names(incomplete: str) -> list[str]:
    return [name for name in lab().world_names() if name.startswith(incomplete)]


def _design_names(incomplete: str) -> list[str]:
    worlds = map(lab().load_world, lab().world_names())
    names = (info.name for world in worlds for info in lab().designs(world))
    return [name for name in names if name.startswith(incomplete)]


def _scenario_names(incomplete: str) -> list[str]:
    return [info.name for info in lab().scenarios() if info.name.startswith(incomplete)]


def _objective_names(incomplete: str) -> list[str]:
    return [name for name in objectives.load() if name.startswith(incomplete)]


def known_objective(name: str, among: Iterable[str] | None = None) -> str:
    """`name` as the objective spells it (o1 is O1), one of `among` (None: of the thread's). Raises
    UsageError."""
    names = {known.lower(): known for known in (objectives.load() if among is None else among)}
    if name.lower() in names:
        return names[name.lower()]
    aliases = {"i2": "O1"}
    if name.lower() in aliases:
        return aliases[name.lower()]
    raise _unknown("objective", name, names.values())


def known_scenario(name: str, among: Iterable[Info]) -> str:
    """`name` if there is such a scenario. Raises UsageError."""
    names = [info.name for info in among]
    if name in names or COMBINED in name:
        return name
    raise _unknown("scenario", name, names)


def _unknown(kind: str, name: str, names: Iterable[str]) -> UsageError:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"`pinlab list {kind}s` names them"
    return UsageError(f"there is no {kind} {name!r}; {hint}")


COMBINED = "/"
"""In the name of a scenario of operations, which the lab reads."""

Names = tuple[str, ...] | None
"""None: all."""


def asked(
    design: Any, objectives: Iterable[str] | None, scenarios: Iterable[str] | None
) -> tuple[Names, Names]:
    """The objectives and scenarios that are named, of those there are for a loaded design. Raises
    UsageError."""
    judges = [known_objective(name, lab().objectives(design)) for name in objectives or ()]
    played = [known_scenario(name, lab().scenarios(design)) for name in scenarios or ()]
    return tuple(judges) or None, tuple(played) or None


DesignArgument = Annotated[
    str,
    typer.Argument(
        metavar="DESIGN",
        help="A design by name (`pinlab list designs`), or a file like ./my_design.py.",
        autocompletion=_design_names,
    ),
]
DesignsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DESIGN]...",
        help="Designs by name or file; all of pinlab's own if none is given.",
        autocompletion=_design_names,
        show_default=False,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.html",
        help="Write a page: bars, the largest first, and a table to filter.",
        show_default=False,
    ),
]
WorldOption = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="VERSION",
        help="The kernel that is modelled: 4.20 or 7.2.",
        autocompletion=_world_names,
        show_default="4.20",
    ),
]
ObjectiveArgument = Annotated[
    str,
    typer.Argument(
        metavar="OBJECTIVE",
        help="An objective (`pinlab list objectives`), as O1 or I13.",
        autocompletion=_objective_names,
    ),
]
ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        "-O",
        help="Only this objective; may be repeated.",
        autocompletion=_objective_names,
        show_default="all",
    ),
]
ScenarioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        "-s",
        help="Only this scenario; may be repeated.",
        autocompletion=_scenario_names,
        show_default="all",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on the Ray cluster there: HOST:PORT, auto, or local, which starts one.",
        show_default=False,
    ),
]

MaxStatesOption = Annotated[
    int | None,
    typer.Option(
        "--max-states", min=1, help="Give up beyond this many states.", show_default=False
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", help="Give up after this many seconds.", show_default=False),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Give up an exploration beyond this much memory for states, as 512M or 2G.",
        show_default="what is available",
    ),
]
EngineOption = Annotated[
    Engine, typer.Option("--engine", help="The explorer: machine code or reference interpreter.")
]
MemoryModelOption = Annotated[
    MemoryModel,
    typer.Option(
        "--memory-model",
        help="In which order others see what a CPU does: as it did it (sc), or as on a machine.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print verdicts on standard error as they come, as a terminal gets them anyway.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON instead (docs/schemas.md) to standard output.")
]
