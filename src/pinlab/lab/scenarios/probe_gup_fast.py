"""Probe: does the design's pin run where GUP-fast runs, with interrupts off? It is alone."""

from __future__ import annotations

from pinlab.lab.linux.tasks import atomic_gup
from pinlab.lab.linux.types import SHARED
from pinlab.lab.scenarios.scenario import ReachEvents, Scenario, Task
from pinlab.lab.scenarios.words import state
from pinlab.objectives.events import Event

SCENARIO = Scenario(
    name="probe-gup-fast",
    summary="one pin by __get_user_pages_fast() of a page that is there",
    tasks=(Task("driver", atomic_gup, (SHARED, 0)),),
    initial=state("dirty+buffers rw").values,
    judges=("I12",),
    bounds="1 page, 1 mapping, 1 pin, nobody else",
    reach=(ReachEvents("GUP-fast has its pin", (Event.PIN,)),),
    probes="gup_fast_works",
)
