"""What a walker says: who holds which frames how often, since when, and counted where."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from pinlab.field.accounting import Accounted
from pinlab.field.extents import Extents

if TYPE_CHECKING:
    from pinlab.field.holders.kernel import Kernel


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A process that has the holder, and by which descriptor if by one."""

    pid: int
    command: str
    fd: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One holder's word on what it holds. Counted once, however many processes share it."""

    kind: str
    """The walker that says so."""
    detail: str
    """Which of a process's several: "buffer 3", "READ on loop0"."""
    owners: tuple[Owner, ...]
    """Ascending; empty if no process was found (a kernel thread, a file in flight)."""
    extents: Extents
    references: bool = False
    """Plain references, which no counter of pins knows."""
    address: int | None = None
    """Where the frames are in the owners' address space; None if the kernel does not keep it."""
    length: int | None = None
    """Bytes."""
    accounted_in: tuple[Accounted, ...] = ()
    """Empty: nowhere."""
    seconds: float | None = None
    """How long it has been held, if the kernel keeps that."""
    weak: bool = False
    """Inferred from addresses, or from what lies on a stack: it explains, it does not accuse."""


@dataclass(frozen=True, slots=True)
class Walker:
    """A kind of holder; a file of `walkers/` defines one as WALKER."""

    kind: str
    summary: str
    walk: Callable[[Kernel], Iterator[Claim]]
    """Raises LayoutError where this kernel's structures are of no known shape."""
    needs: tuple[str, ...]
    """Types that a kernel with such holders has; one without them has none of these."""
    live_tested: bool = True
    """Found pins of a running kernel in tests; else only synthetic memory."""


@cache
def load() -> Mapping[str, Walker]:
    """Every walker by kind, found by its place."""
    package = importlib.import_module("pinlab.field.holders.walkers")
    found: dict[str, Walker] = {}
    for module in pkgutil.iter_modules(package.__path__):
        walker = importlib.import_module(f"{package.__name__}.{module.name}").WALKER
        assert isinstance(walker, Walker)
        found[walker.kind] = walker
    return MappingProxyType(found)
