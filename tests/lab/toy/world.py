"""The toy as a world: its scenarios, and who is judged."""

from __future__ import annotations

from pinlab.lab.scenarios.scenario import ReachFunction, Scenario, Task
from pinlab.lab.world import World
from tests.lab.toy import designs, model

CUP = {"Cup.users": (1,), "Cup.level": (1,)}
DRINK = Task("guest", model.drink, (1,))

SCENARIOS = {
    "party": Scenario(
        "party",
        "a guest drinks while the host leaves",
        (DRINK, Task("host", model.leave, (1,))),
        CUP,
        ("I1",),
        "1 cup, 1 guest",
        (ReachFunction("somebody puts the cup down", "put"),),
    ),
    "sip": Scenario("sip", "one guest", (DRINK,), CUP, (), "", probes="slow_pin_works"),
}


def show(name: str, value: int) -> str:
    """Levels in words."""
    return ["empty", "a sip", "half", "full"][value] if name == "Cup.level" else str(value)


TOY = World(
    "toy",
    model,
    model.Cup,
    lambda: SCENARIOS,
    designs=designs,
    empty="counted",
    pinning=frozenset({"take"}),
    show=show,
)
