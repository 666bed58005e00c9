"""Memory models: how the loads and stores of a program may be seen in another order than its own.

A memory model is a pass from `Program` to `Program`, so explorers, traces and costs need to know
of none. The state of a weak program has, beside the newest value of every word, the value before
it, whose buffer the newest one is still in, and who may have loaded the word before it was there.
The model of x86 is in x86_tso.py, that of arm64 in arm64.py; both are data for machine.py.

Source: "Memory Barriers: a Hardware View for Software Hackers" for the hardware;
tools/memory-model/Documentation/explanation.txt for what the kernel promises; the machine is that
of Flat ARMv8 (Pulte et al., POPL 2018) as far as two values a word can show it: see `bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pinlab.lab.weak import arm64, x86_tso
from pinlab.lab.weak.model import Model

SC: Final = "sc"
"""Sequential consistency: the program as it is."""

MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {it.name: it for it in (x86_tso.MODEL, arm64.MODEL)}
)
"""The memory models beside it, by name."""
