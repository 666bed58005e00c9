"""One violation must not hide another: hits are told apart by the node that makes them."""

from __future__ import annotations

from typing import Any

import pytest

from pinlab.lab.explore import native, reference
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic,
    atomic_inc,
    bounded,
    kernel,
    schedule,
)
from tests.lab.language.solo import system

x = bounded(0, 7)


@kernel
def early() -> None:
    assert READ_ONCE(x) == 0


@kernel
def late() -> None:
    schedule()
    schedule()
    assert READ_ONCE(x) != 1


@kernel
def writer() -> None:
    WRITE_ONCE(x, 1)


EXPLORERS = pytest.mark.parametrize("explorer", [reference, native])


@EXPLORERS
def test_the_same_failure_at_two_nodes_is_two_ways(explorer: Any) -> None:
    it = system(early, late, writer)
    found = explorer.explore(it, everywhere=True)
    functions = {
        it.program.nodes[place].function: len(path) for (_, place, _), path in found.ways.items()
    }
    assert functions == {"early": 2, "late": 4}
    assert found.hits == {"failure:bug": min(found.ways.values(), key=len)}


@EXPLORERS
def test_without_being_asked_there_is_one(explorer: Any) -> None:
    found = explorer.explore(system(early, late, writer))
    assert set(found.hits) == {"failure:bug"}
    assert not found.ways


def test_both_explorers_find_the_same_ways() -> None:
    it = system(early, late, writer)
    one, two = (explorer.explore(it, everywhere=True) for explorer in (reference, native))
    assert {way: len(path) for way, path in one.ways.items()} == {
        way: len(path) for way, path in two.ways.items()
    }


@EXPLORERS
def test_failures_of_one_kind_are_told_apart_by_what_they_are_about(explorer: Any) -> None:
    found = explorer.explore(system(early, late, writer))
    assert {site: len(path) for site, path in found.failures.items()} == {
        ("bug", "BUG_ON(!(READ_ONCE(x) == 0))"): 2,
        ("bug", "BUG_ON(!(READ_ONCE(x) != 1))"): 4,
    }
    assert found.messages == {"failure:bug": "BUG_ON(!(READ_ONCE(x) == 0))"}
    assert found.hits["failure:bug"] == min(found.failures.values(), key=len)


count = atomic(-1, 2)


@kernel
def count_up() -> None:
    while True:
        atomic_inc(count)


@EXPLORERS
def test_a_number_in_a_message_makes_no_failure_of_its_own(explorer: Any) -> None:
    found = explorer.explore(system(count_up, count_up))
    assert set(found.failures) == {("overflow", "count")}
    assert found.messages == {"failure:overflow": "count = 3, outside [-1, 2]"}
