"""What is told of mutants: frozen values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

KILLED: Final = "killed"
SURVIVED: Final = "survived"
EQUIVALENT: Final = "equivalent"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Kill:
    """Where a mutant is noticed, and what is: what breaks that held."""

    design: str
    operations: tuple[str, ...]
    state: str
    what: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A mutant, and what became of it; UNKNOWN if it was not hunted."""

    function: str
    file: str
    line: int
    kind: str
    what: str
    status: str
    by: Kill | None = None
    why: str = ""
    """Why it is equivalent, or how far one got that survived."""


@dataclass(frozen=True, slots=True)
class Score:
    """The mutants of a design's functions, or of a world's."""

    design: str
    world: str
    mutants: tuple[Scored, ...]
    seconds: float
    stopped: str | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many there are of each status."""
        return Counter(it.status for it in self.mutants)

    @property
    def share(self) -> float | None:
        """Of those that are not equivalent, how many are killed: 0 to 1; None if there are none, or
        if any was not hunted."""
        counts = self.counts
        telling = counts[KILLED] + counts[SURVIVED]
        return None if not telling or counts[UNKNOWN] else counts[KILLED] / telling
