"""The one type of verdict of both wings. Unknown is never a pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a verdict says. The lab speaks of *unknown*, a stream with gaps is *inconclusive*."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    INCONCLUSIVE = "inconclusive"


EXIT_HOLDS = 0
EXIT_VIOLATED = 1
EXIT_MISUSE = 2
EXIT_UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with what it rests on. Made by `holds`, `violated`, `unknown`, `inconclusive`.

    `bounds` says what was looked at: no *holds* without it. `steps` is the number of steps or
    events up to the violation, `evidence` the numbers of those that make it up (empty: all of
    them). `reason` says what is missing for more than *unknown*, or remarks on a violation.
    """

    outcome: Outcome
    bounds: str
    steps: int | None = None
    evidence: tuple[int, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        match self.outcome:
            case Outcome.HOLDS if not self.bounds:
                raise ValueError("a verdict 'holds' needs its bounds")
            case Outcome.VIOLATED if self.steps is None:
                raise ValueError("a verdict 'violated' needs its steps")
            case Outcome.UNKNOWN | Outcome.INCONCLUSIVE if not self.reason:
                raise ValueError(f"a verdict {self.outcome.value!r} needs what is missing")
        if self.outcome is not Outcome.VIOLATED and self.steps is not None:
            raise ValueError(f"a verdict {self.outcome.value!r} has no steps")

    @classmethod
    def holds(cls, bounds: str) -> Verdict:
        """Everything within `bounds` was looked at, and nothing violates."""
        return cls(Outcome.HOLDS, bounds)

    @classmethod
    def violated(
        cls, steps: int, bounds: str = "", *, evidence: Iterable[int] = (), reason: str = ""
    ) -> Verdict:
        """The last of `steps` steps violates."""
        return cls(Outcome.VIOLATED, bounds, steps, tuple(evidence), reason)

    @classmethod
    def unknown(cls, missing: str, bounds: str = "") -> Verdict:
        """Not everything was looked at: `missing` says what was not, and why."""
        return cls(Outcome.UNKNOWN, bounds, reason=missing)

    @classmethod
    def inconclusive(cls, missing: str, bounds: str = "") -> Verdict:
        """What was seen does not suffice to judge."""
        return cls(Outcome.INCONCLUSIVE, bounds, reason=missing)

    @property
    def exit_status(self) -> int:
        """0 holds, 1 violated, 3 unknown or inconclusive (2 is misuse, which is no verdict)."""
        match self.outcome:
            case Outcome.HOLDS:
                return EXIT_HOLDS
            case Outcome.VIOLATED:
                return EXIT_VIOLATED
            case _:
                return EXIT_UNKNOWN

    def __str__(self) -> str:
        match self.outcome:
            case Outcome.HOLDS:
                return f"holds ({self.bounds})"
            case Outcome.VIOLATED:
                steps = f"violated in {self.steps} step" + ("" if self.steps == 1 else "s")
                return f"{steps}: {self.reason}" if self.reason else steps
            case _:
                return f"{self.outcome.value}: {self.reason}"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """What several verdicts come to: the shortest violation, else unknown, else holds.

    No verdict at all is unknown.
    """
    return min(verdicts, key=severity, default=Verdict.unknown("nothing was checked"))


def severity(verdict: Verdict) -> tuple[int, int]:
    """Sort key, worst first: violated by the steps it takes, then unknown, then holds."""
    rank = (EXIT_VIOLATED, EXIT_UNKNOWN, EXIT_HOLDS).index(verdict.exit_status)
    return rank, verdict.steps or 0


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """The exit status of a command that asked for all of `verdicts`."""
    return worst(verdicts).exit_status
