"""What the commands need of the lab; the one place where they get it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pinlab.lab.bug import Bug, Reproduced
from pinlab.lab.explore.result import Limits, Move
from pinlab.lab.film import Film
from pinlab.lab.mutants.results import Score
from pinlab.lab.results import (
    CheckResult,
    Comparison,
    Cost,
    Difference,
    Estimate,
    Function,
    Info,
    Known,
    LitmusResult,
    OnActivity,
    OnSweep,
    Swept,
    Touched,
    Trace,
    Wanted,
)
from pinlab.objectives import Objective


class Lab(Protocol):
    """The face of the lab, `pinlab.lab.face`.

    A design is what `load_design` gave, a world what `load_world` gave, the default one if it is
    left out; the commands never look inside. Ctrl-C ends `check` and
    `compare` with what was found so far, `stopped` set and the open verdicts unknown.
    """

    def world_names(self) -> tuple[str, ...]:
        """The worlds there are."""

    def load_world(self, name: str | None, /) -> Any:
        """A world by name; None is the default one. Raises UsageError."""

    def designs(self, world: Any = ..., /) -> tuple[Info, ...]:
        """Every design of a world."""

    def scenarios(self, of: Any = ..., /) -> tuple[Info, ...]:
        """Every scenario of a world, or of a design: its world's and those that it brings."""

    def operations(self, world: Any = ..., /) -> tuple[Info, ...]:
        """Every operation that may be played beside others."""

    def states(self, world: Any = ..., /) -> tuple[Info, ...]:
        """The words of which states are made, and the states there are."""

    def combinations(self, design: Any, operations: str, state: str | None, /) -> tuple[str, ...]:
        """The scenarios of some operations of a design's world, from one state or from each that
        fits. Raises UsageError."""

    def objectives(self, design: Any = None, /) -> Mapping[str, Objective]:
        """Every objective of the thread, and those that a design brings, by name."""

    def brought(self, design: Any, /) -> Mapping[str, tuple[Info, ...]]:
        """What a design replaces and adds, by kind."""

    def load_design(self, name_or_path: str, /) -> Any:
        """A design by name, or from a file. Raises UsageError."""

    def check(
        self,
        design: Any,
        scenarios: tuple[str, ...] | None = None,
        objectives: tuple[str, ...] | None = None,
        *,
        limits: Limits | None = None,
        engine: str = "auto",
        memory_model: str = "sc",
        coverage: bool = False,
        ways: bool = False,
        on_progress: OnActivity | None = None,
    ) -> CheckResult:
        """One design; None stands for all scenarios or objectives."""

    def compare(
        self,
        designs: tuple[str, ...] | None = None,
        *,
        world: Any = ...,
        limits: Limits | None = None,
        jobs: int | None = None,
        memory_model: str = "sc",
        on_progress: OnActivity | None = None,
    ) -> Comparison:
        """Many designs of a world, by name or path; None stands for all of `world`."""

    def sweep(
        self,
        design: Any,
        wanted: Wanted,
        /,
        *,
        limits: Limits | None = None,
        jobs: int | None = None,
        there: Any = None,
        on_sweep: OnSweep | None = None,
    ) -> Swept:
        """Every combination of operations; of a patch what is not broken without it. `there` is
        what `cluster` gave."""

    def cluster(self, address: str, /) -> AbstractContextManager[Any]:
        """The Ray cluster at an address. Raises UsageError, or ModuleNotFoundError without Ray."""

    def estimate(self, design: Any, wanted: Wanted, /, *, limits: Limits | None = None) -> Estimate:
        """How many there are, and how long they take, from a sample."""

    def mutate(
        self,
        design: Any,
        functions: Sequence[str] = (),
        /,
        *,
        hunting: bool = True,
        jobs: int | None = None,
        on_asked: Callable[[int, int], None] | None = None,
        on_done: Callable[[int, int], None] | None = None,
    ) -> Score:
        """What would be noticed of mutants. Raises UsageError."""

    def described(self, design: Any, /) -> Info:
        """A design in a line."""

    def film(self, design: Any, trace: Trace, /) -> Film:
        """What is between the steps of a counterexample, and which of them it needs."""

    def films(
        self,
        asked_for: Sequence[tuple[Any, str, str]],
        *,
        limits: Limits | None = None,
        jobs: int | None = None,
        on_done: Callable[[int, int], None] | None = None,
    ) -> tuple[Film | None, ...]:
        """The film of each design, objective and scenario; None if there is no counterexample."""

    def known(self, design: Any, /) -> Known:
        """What was found of a design before, and what it replaces."""

    def racing(self, design: Any, trace: Trace, /) -> str | None:
        """The racing part of a counterexample as a litmus test; None if it has none."""

    def litmus(self, path: Path, max_states: int | None = None, /) -> LitmusResult:
        """What the litmus test in a file may come to. Raises UsageError."""

    def base(self, design: Any, /) -> Any | None:
        """What a patch builds on, to be compared with it; None for a design, which is no patch."""

    def difference(self, patch: Any, before: CheckResult, after: CheckResult, /) -> Difference:
        """What a patch changes: `after` are its verdicts, `before` those of what it builds on."""

    def functions(self, world: Any = ..., /) -> tuple[Function, ...]:
        """Every function of a world's model, by kernel file."""

    def function(self, name: str, world: Any = ..., /) -> Function:
        """One of them. Raises UsageError."""

    def patch(self, name: str, world: Any = ..., /) -> str:
        """A file that replaces it by itself. Raises UsageError."""

    def touched(self, path: Path, world: Any = ..., /) -> Touched:
        """What a diff of C touches. Raises UsageError."""

    def trace(self, design: Any, scenario: str, objective: str, path: tuple[Move, ...], /) -> Trace:
        """Replay a counterexample."""

    def cost(self, design: Any, /) -> Cost:
        """Count what a design costs."""


def lab() -> Lab:
    """The lab, imported when first needed: `--help` stays quick."""
    from pinlab.lab import face

    return face


class Corpus(Protocol):
    """The face of `pinlab.lab.corpus`."""

    def bugs(self) -> Mapping[str, Bug]:
        """Every known bug, by number."""

    def bug(self, number: str, /) -> Bug:
        """One of them. Raises UsageError."""

    def reproduce(
        self,
        it: Bug,
        /,
        *,
        limits: Limits | None = None,
        jobs: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Reproduced:
        """One of them, played with it and without, and looked for."""


def corpus() -> Corpus:
    """The known bugs, imported when first needed."""
    from pinlab.lab import corpus as found

    return found
