"""Whatever happens and however little of it is seen, no verdict contradicts the truth."""

from __future__ import annotations

import random

import pytest

from pinlab.field.events.monitor import Monitor
from pinlab.objectives.verdict import Outcome
from tests.field.events import records
from tests.field.events.truth import World

SEEDS = 100
"""Walks of one test: each walk of a broken monitor has a chance of a few in a hundred to fail."""


@pytest.mark.parametrize("steps", [50, 100, 300])
@pytest.mark.parametrize("loss", [0.0, 0.02], ids=["whole", "with losses"])
@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "all"])
def test_no_verdict_contradicts_the_truth(steps: int, loss: float, pinned: bool) -> None:
    for seed in range(SEEDS):
        world = World(pinned)
        world.walk(random.Random(seed), steps, loss=loss)
        rows, meta = records.rows(world.kernel)
        monitor = Monitor(writeback=meta.writeback)
        list(monitor.see(rows, meta.stacks))
        for name, verdict in monitor.verdicts(meta).items():
            if verdict.outcome is Outcome.VIOLATED:
                assert name in world.possible, seed
            if verdict.outcome is Outcome.HOLDS:
                assert name not in world.certain, seed
                assert not world.kernel.lost, seed
