"""One violation must not hide another: hits are told apart by the node that makes them."""

from __future__ import annotations

from typing import Any

import pytest

from pinlab.lab.explore import native, reference
from pinlab.lab.language.kernel import READ_ONCE, WRITE_ONCE, bounded, kernel, schedule
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
        it.program.nodes[place].function: len(path) for (_, place), path in found.ways.items()
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
