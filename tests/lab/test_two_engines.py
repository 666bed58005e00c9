"""The two explorers agree on every design and every scenario: states, depth, paths, coverage."""

from __future__ import annotations

import pytest

from pinlab.lab import build, design, face
from pinlab.lab.explore import native, reference
from pinlab.lab.explore.result import words
from pinlab.lab.scenarios import scenario as scenarios

DEFAULT, CI, ALL = 700, 3_000, 100_000
"""States that the interpreter is given by default, with `-m slow` (CI), and with `-m exhaustive`:
half an hour and some gigabytes, for whoever has changed an explorer or the compiler."""


def compare(name: str, low: int, high: int) -> int:
    """Explore the scenarios with more than `low` and up to `high` states with both explorers."""
    it = design.load(name)
    keys = face.probe(it).known
    compared = 0
    for scenario in scenarios.load().values():
        system = build.system(it, scenario, {scenario.probes: 1} if scenario.probes else keys)
        fast = native.explore(system, progress=build.progress(it, scenario))
        if not low < fast.states <= high:
            continue
        plain = reference.explore(system, progress=build.progress(it, scenario))
        compared += 1
        assert (fast.states, fast.transitions, fast.depth) == (
            plain.states,
            plain.transitions,
            plain.depth,
        ), scenario.name
        assert fast.hits == plain.hits, scenario.name
        assert fast.stuck == plain.stuck, scenario.name
        assert fast.messages == plain.messages, scenario.name
        assert fast.failures == plain.failures, scenario.name
        assert fast.covered == plain.covered, scenario.name
    return compared


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (number % 2))
        for number, name in enumerate(design.names())
    ],
)
def test_both_explorers_find_the_same(name: str) -> None:
    assert compare(name, 0, DEFAULT) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", design.names())
def test_both_explorers_find_the_same_in_larger_spaces(name: str) -> None:
    assert compare(name, DEFAULT, CI) >= 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", design.names())
def test_both_explorers_find_the_same_in_large_spaces(name: str) -> None:
    assert compare(name, CI, ALL) >= 1


def test_what_is_known_is_told_without_a_path() -> None:
    it = design.load("untracked")
    scenario = build.known(it)["direct-io-fsync-zap"]
    system = build.system(it, scenario, face.probe(it).known)
    goals = build.progress(it, scenario)
    whole = native.explore(system, progress=goals)
    assert whole.hits and all(whole.hits.values())
    known = {*whole.hits, *map(words, whole.failures), *whole.stuck}
    told = native.explore(system, progress=goals, known=known)
    assert (told.hits.keys(), told.failures.keys()) == (whole.hits.keys(), whole.failures.keys())
    assert told.stuck.keys() == whole.stuck.keys()
    assert not any(told.hits.values())
    one = native.explore(system, progress=goals, known=known - {next(iter(whole.hits))})
    assert [name for name, path in one.hits.items() if path] == [next(iter(whole.hits))]
