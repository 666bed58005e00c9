"""Counts on which every checker agrees."""

from __future__ import annotations

import pytest

from pinlab.lab.explore import native, reference

from .programs import filter_lock

COUNTS = {2: (34, 62, 9), 3: (705, 1725, 21), 4: (14_844, 44_120, 36), 5: (344_805, 1_205_325, 54)}


@pytest.mark.parametrize("n", [2, 3, 4])
def test_interpreter(n: int) -> None:
    found = reference.explore(filter_lock(n))
    assert (found.states, found.transitions, found.depth) == COUNTS[n]
    assert found.complete
    assert found.hits == {}


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_native(n: int) -> None:
    found = native.explore(filter_lock(n))
    assert (found.states, found.transitions, found.depth) == COUNTS[n]
    assert found.complete
    assert found.hits == {}


def test_overhead_of_a_state() -> None:
    """At most 16 bytes beyond the packed state: here two words."""
    found = native.explore(filter_lock(5))
    assert found.memory_bytes / found.states <= 2 * 8 + 16
