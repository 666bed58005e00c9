"""Probe: a pin and an unpin in process context, where anything may be done. It is what costs are
counted on when interrupts are out of reach for the design."""

from __future__ import annotations

from pinlab.lab.linux.tasks import pin_then_unpin
from pinlab.lab.linux.types import SHARED
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task
from pinlab.lab.scenarios.words import state

SCENARIO = Scenario(
    name="probe-pin-unpin",
    summary="one pin by get_user_pages() of a page that is there, and its unpin",
    tasks=(Task("driver", pin_then_unpin, (1, SHARED, 0)),),
    initial=state("dirty+buffers rw").values,
    judges=("I12",),
    bounds="1 page, 1 mapping, 1 pin, nobody else",
    reach=(ReachFunction("the driver drops the pin", "release_page"),),
    probes="slow_pin_works",
)
