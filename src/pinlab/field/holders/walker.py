"""A kind of holder: how its claims are found in a kernel, and which kinds there are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pinlab.field.holders.claim import Claim
from pinlab.field.holders.kernel import Kernel


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
