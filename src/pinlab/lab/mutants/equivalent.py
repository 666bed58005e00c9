"""Mutants that do what the model does: which, and why. The reasons are data, in equivalent.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pinlab.lab.mutants.mutation import Mutant

FILE = Path(__file__).with_name("equivalent.toml")

Name = tuple[str, str, str]
"""Of a mutant, whatever line it is in: its function, its kind, what is concerned."""


def name_of(mutant: Mutant) -> Name:
    """What tells it from another one."""
    return mutant.function, mutant.kind, mutant.what


def said(world: str) -> tuple[tuple[Name, str], ...]:
    """Each mutant of a world that is said to be equivalent, and why, as they stand in the file."""
    listed = tomllib.loads(FILE.read_text()).get(world, [])
    return tuple(
        ((each["function"], each["kind"], what), " ".join(each["why"].split()))
        for each in listed
        for what in each["what"]
    )


@cache
def reasons(world: str) -> Mapping[Name, str]:
    """Why mutants of a world are equivalent, by name."""
    return MappingProxyType(dict(said(world)))
