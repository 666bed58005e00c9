"""Reclaim, truncate and invalidation of 7.2, and the two places that do not ask for pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import design, face
from pinlab.lab.results import Wanted
from pinlab.objectives.verdict import Outcome
from tests.lab.today.test_file_memory import broken

OPEN = {"O1", "O2"}
AT_REST = {"I16"}
"""Says again what I3 and I4 say of the way there."""

RECLAIMS_PINNED = '''"""Reclaim as of 6.4, which takes the buffers of a pinned folio."""

from pinlab.lab.language.kernel import *
from pinlab.lab.today.linux.types import Folio


@kernel
def reclaim_keeps(folio: Folio) -> bool:
    """Nobody asks."""
    return False
'''


def violated(it: design.Design, operations: str, words: str) -> set[str]:
    found = broken(it, operations, words)
    return {name for name, outcome in found.items() if outcome is Outcome.VIOLATED} - OPEN - AT_REST


@pytest.mark.parametrize(
    ("operations", "objectives", "mended_by"),
    [
        ("dio-read-verify@1, dio-write", {"I4"}, "ask-after-unmap"),
        ("dio-read@1, flush-active", {"I3"}, "active-keeps-pinned"),
        ("dio-read-verify@1, flush-active", {"I3", "I4"}, "active-keeps-pinned"),
    ],
)
def test_two_takers_do_not_ask_for_pins(
    operations: str, objectives: set[str], mended_by: str
) -> None:
    assert violated(design.load("mainline"), operations, "dirty rw") == objectives
    assert not violated(design.load(mended_by), operations, "dirty rw")


def test_reclaim_asks_after_the_unmap(tmp_path: Path) -> None:
    path = tmp_path / "reclaims_pinned.py"
    path.write_text(RECLAIMS_PINNED)
    told = ("dio-read@1, flush-reclaim", "dirty rw")
    assert violated(design.load(str(path)), *told) == {"I3"}
    assert not violated(design.load("mainline"), *told)


@pytest.mark.parametrize(
    "operations", ["dio-read@1, truncate", "store@2, truncate", "pin@1, evict"]
)
def test_truncate_and_eviction_break_nothing(operations: str) -> None:
    assert not violated(design.load("mainline"), operations, "dirty rw+rw2")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ask-after-unmap", "active-keeps-pinned"])
def test_a_mended_taker_breaks_nothing_that_was_not_broken(name: str) -> None:
    assert not face.sweep(design.load(name), Wanted()).broken
