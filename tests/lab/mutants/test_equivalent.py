"""Reasons are of mutants that there are, and say something."""

from __future__ import annotations

import pytest

from pinlab.lab import worlds
from pinlab.lab.mutants import equivalent
from pinlab.lab.mutants.mutation import KINDS, mutants


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_each_reason_is_of_a_mutant_that_there_is(name: str) -> None:
    world = worlds.load(name)
    there = {
        equivalent.name_of(it) for function in world.functions.values() for it in mutants(function)
    }
    for mutant, why in equivalent.reasons(name).items():
        assert mutant in there
        assert mutant[1] in KINDS
        assert why.endswith(".") and len(why.split()) > 2


def test_no_mutant_has_two_reasons() -> None:
    """The later one would be read, and the other be passed over in silence."""
    text = equivalent.FILE.read_text()
    named = [line for line in text.splitlines() if line.startswith("function = ")]
    assert len(named) == text.count("why = ")
    for world in worlds.WORLDS:
        names = [name for name, _ in equivalent.said(world)]
        assert len(names) == len(set(names))
