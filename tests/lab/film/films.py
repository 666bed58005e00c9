"""Counterexamples of the lab as films; they are made once."""

from __future__ import annotations

from functools import cache

from pinlab.lab import check, design, face
from pinlab.lab.film import Film

FIVE = (
    ("untracked", "O1", "direct-io-fsync"),
    ("untracked", "O2", "put-dirty-reclaim"),
    ("untracked", "O3", "dax-unlink"),
    ("untracked", "I5", "anon-fork"),
    ("mmu-notifier", "I4", "direct-io-invalidate"),
)
"""One of each kind: torn, silent, reused, copied, and the longest."""


@cache
def film(name: str, objective: str, scenario: str) -> Film:
    """The film of the shortest counterexample."""
    it = design.load(name)
    found = check.check(it, (scenario,), (objective,), ways=True)
    return face.film(it, found.ways[0].trace())
