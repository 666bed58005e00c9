"""Which objective is broken by a failure that the lab reports by itself.

The lab stops at a failed assertion, a count below zero, a lock never released. A row of the
table belongs to an objective, so each kind of failure counts as a violation of one. The kinds
are those of `FAILURE_KINDS` in the modelling language; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "refcount-underflow": "I10",
        "overflow": "I10",
        "use-after-free": "I1",
        "null": "I1",
        "bug": "I3",
        "deadlock": "I12",
        "atomic-sleep": "I12",
        "unlock": "I12",
        "lock-held": "I12",
        "recursion": "I12",
        "livelock": "I12",
    }
)
"""Kind of failure -> name of the objective."""


def failures_of(objective: str) -> tuple[str, ...]:
    """The kinds of failure that violate `objective`, in the order of `FAILURES`."""
    return tuple(kind for kind, name in FAILURES.items() if name == objective)
