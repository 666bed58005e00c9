"""A known bug of the kernel, and what the lab finds of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pinlab.lab.results import First, Trace
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What a file of the corpus says of its bug; the story is the file's docstring.

    `operations` from `state` violate `objective` with the bug, and do not without it. The file
    brings the bug back; of one that a world has still, it replaces nothing, and `mended_by` names
    the design of that world in which it is mended.
    """

    number: str
    title: str
    fixed_by: str
    """A commit, by hash and subject, or since when the kernel guards against it."""
    versions: str
    """The releases that have it."""
    operations: str
    state: str
    objective: str
    cve: str = ""
    mended_by: str = ""
    without: str = ""
    """Operations that are of no use among the rules of the bug's time; the search leaves them
    out."""


@dataclass(frozen=True, slots=True)
class Side:
    """What a bug's operations come to, with it or without."""

    verdict: Verdict
    states: int


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a function, and where it stands."""

    file: str
    first: int
    text: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """A function with the bug and without it."""

    name: str
    buggy: Source
    fixed: Source


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A bug, played with and without it, and looked for by whoever is told the functions alone."""

    bug: Bug
    story: str
    world: str
    buggy: Side
    fixed: Side
    search: First
    replaced: tuple[Replaced, ...] = ()
    trace: Callable[[], Trace] | None = None
    """Makes the shortest counterexample, if there is one."""

    @property
    def stopped(self) -> str | None:
        """What ended it early."""
        return self.search.stopped

    @property
    def exit_status(self) -> int:
        """0 if it is violated with the bug, holds without it, and the search comes to it."""
        found = self.buggy.verdict.outcome, self.fixed.verdict.outcome
        if Outcome.HOLDS is found[0] or Outcome.VIOLATED is found[1] or self.search.found is False:
            return EXIT_VIOLATED
        if found == (Outcome.VIOLATED, Outcome.HOLDS) and self.search.found:
            return EXIT_HOLDS
        return EXIT_UNKNOWN
