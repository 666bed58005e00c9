"""Machine code finds what the interpreter finds, in any system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pinlab.lab.explore import native, reference
from pinlab.lab.explore.ranges import TooWide
from pinlab.lab.explore.result import AlwaysPossible, Exploration, Limits
from pinlab.lab.language.program import System

from .random_programs import GOALS, systems


def figures(found: Exploration) -> dict[str, object]:
    """Everything but time and memory."""
    return {
        name: getattr(found, name)
        for name in Exploration.__slots__
        if name not in ("seconds", "memory_bytes")
    }


def audit(shared: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """A few words for each variable, to which all its elements add."""
    for name, values in shared.items():
        yield f"{name}: {sum(i * value for i, value in enumerate(values, 1)) % 3}"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(systems(), st.sampled_from((10, 100, 1000)), st.sampled_from(((), GOALS)))
def test_equal(it: System, states: int, goals: tuple[AlwaysPossible, ...]) -> None:
    limits = Limits(max_states=states)
    try:
        found = native.explore(it, limits, goals, audit=audit)
    except TooWide:
        assume(False)
    assert figures(found) == figures(reference.explore(it, limits, goals, audit=audit))
