"""Probe: does the design's unpin run in an interrupt?"""

from __future__ import annotations

from pinlab.lab.linux.tasks import pin_then_wait, unpin_in_irq
from pinlab.lab.linux.types import SHARED
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task
from pinlab.lab.scenarios.words import state

SCENARIO = Scenario(
    name="probe-irq-unpin",
    summary="one pin taken in process context and dropped by an interrupt",
    tasks=(
        Task("driver", pin_then_wait, (1, SHARED, 0)),
        Task("irq", unpin_in_irq, irq_of="driver"),
    ),
    initial=state("dirty+buffers rw").values,
    judges=("I12",),
    bounds="1 page, 1 mapping, 1 pin, nobody else",
    reach=(ReachFunction("the interrupt drops the pin", "release_page"),),
    probes="irq_unpin_works",
)
