"""What a memory model is: what each order of a primitive does to buffers and to early loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pinlab.lab.language.primitives import Order


class Effect(StrEnum):
    """A thing that a step does, with the words that it is about, to what others see."""

    DRAIN = "drain"
    """All stores of this CPU become visible."""
    DRAIN_OLDER = "drain-older"
    """Those that a store of this step comes behind do."""
    NEWEST = "newest"
    """The words' newest values are seen: whose buffers they are in lets go of them."""
    BUFFER = "buffer"
    """The store goes into this CPU's buffer, beside those that no barrier keeps before it."""
    BUFFER_LAST = "buffer-last"
    """It goes there behind all."""
    ATOMIC = "atomic"
    """Nothing comes between it and the load that it belongs to: no other store lands before it."""
    PUBLISH = "publish"
    """The store is visible at once."""
    CATCH_UP = "catch-up"
    """No later load of this CPU was done before now."""
    CATCH_UP_BEHIND = "catch-up-behind"
    """None whose address this step's load gave."""
    FENCE = "fence"
    """Later stores come behind the earlier ones."""
    INTERRUPT = "interrupt"
    """This CPU and the one that it interrupts drain and catch up."""


Effects = tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A memory model. A read-modify-write that fails does what `effects` has for a load.

    `early` loads are done before older ones of their CPU. `locks` are words if an unlock is a
    store like others. A `device_store` and `device_load` is of what is declared a device's.
    """

    name: str
    early: bool
    locks: bool
    effects: Mapping[Order, Effects]
    device_store: Effects
    device_load: Effects
    interrupt: Effects
    bounds: str
    """What it does not show: a *holds* says it."""
