"""What designs.md of the thread says about each design, out of exploration."""

from __future__ import annotations

import pytest

from pinlab.lab import check, face
from pinlab.objectives.verdict import Outcome

HOLDS, VIOLATED = Outcome.HOLDS, Outcome.VIOLATED

EXPECTED = [
    ("untracked", "direct-io-fsync", "O1", VIOLATED),
    ("untracked", "direct-io-fsync", "O2", VIOLATED),
    ("untracked", "direct-io-reclaim", "I3", VIOLATED),
    ("mapcount-v1", "direct-io-fsync", "I13", HOLDS),
    ("mapcount-v1", "direct-io-fsync-zap", "I13", VIOLATED),
    ("mapcount-v4", "direct-io-fsync-zap", "I13", VIOLATED),
    ("mapcount-v3", "direct-io-fsync-zap", "I13", HOLDS),
    ("mapcount-v3", "fork-private-fsync", "I13b", VIOLATED),
    ("lru-counter-october", "direct-io-fsync", "I13", VIOLATED),
    ("lru-counter-october", "direct-io-fsync", "I12", VIOLATED),
    ("page-counter", "direct-io-fsync-zap", "I13", HOLDS),
    ("refcount-bias", "direct-io-fsync-zap", "I13", HOLDS),
    ("refcount-bias", "two-pins-fsync", "I13", HOLDS),
    ("refcount-bias", "direct-io-fsync", "O1", VIOLATED),
    ("fake-vma", "direct-io-truncate", "I1", VIOLATED),
    ("fake-vma", "dax-truncate", "O3", VIOLATED),
    ("skip", "direct-io-fsync", "O1", HOLDS),
    ("skip", "direct-io-fsync", "I4", VIOLATED),
    ("block", "direct-io-fsync", "O1", HOLDS),
    ("block", "two-pages-fsync", "I12", VIOLATED),
    ("block", "longterm-fsync", "I12", VIOLATED),
    ("bounce", "direct-io-fsync", "O1", HOLDS),
    ("bounce", "direct-io-fsync", "O2", HOLDS),
    ("bounce", "direct-io-reclaim", "I3", HOLDS),
    ("bounce", "two-pages-fsync", "I12", HOLDS),
    ("bounce", "longterm-fsync", "I12", HOLDS),
    ("bounce-2023", "direct-io-fsync", "O2", VIOLATED),
    ("bounce-2023", "direct-io-reclaim", "I3", HOLDS),
    ("never-clean", "direct-io-fsync", "O1", VIOLATED),
    ("never-clean", "direct-io-fsync", "O2", HOLDS),
    ("never-clean", "longterm-invalidate", "I4", VIOLATED),
    ("lease-revoke", "longterm-fsync", "I12", HOLDS),
    ("lease-revoke", "longterm-truncate", "I12", HOLDS),
    ("mmu-notifier", "direct-io-fsync", "O1", HOLDS),
    ("mmu-notifier", "direct-io-fsync", "O2", HOLDS),
    ("mmu-notifier", "dax-truncate", "O3", HOLDS),
    ("mmu-notifier", "longterm-dax", "O3", HOLDS),
    ("mmu-notifier", "anon-fork", "I5", HOLDS),
    ("refcount-bias", "anon-fork", "I5", VIOLATED),
    ("untracked", "anon-vmsplice", "I6", VIOLATED),
]


@pytest.mark.parametrize(("design", "scenario", "objective", "expected"), EXPECTED)
def test_verdict(design: str, scenario: str, objective: str, expected: Outcome) -> None:
    result = check.check(face.load_design(design), (scenario,), (objective,))
    (row,) = [row for row in result.rows if row.objective == objective]
    assert row.verdict.outcome is expected, row.verdict


@pytest.mark.parametrize("key", ["gup_fast_works", "irq_unpin_works"])
def test_fake_vma_runs_neither_in_gup_fast_nor_in_an_interrupt(key: str) -> None:
    assert face.probe(face.load_design("fake-vma")).keys[key] == 0
    assert face.probe(face.load_design("refcount-bias")).keys[key] == 1
