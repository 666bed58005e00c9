"""Which holders of an answer to show, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from pinlab.errors import UsageError
from pinlab.field.holders.attribution import Share
from pinlab.field.holders.claim import Mapped
from pinlab.field.holders.target import Answer
from pinlab.field.holders.walker import load


class Order(StrEnum):
    """What holders are sorted by: sizes, counts and times largest first."""

    kind = "kind"
    process = "process"
    size = "size"
    pins = "pins"
    time = "time"


def _process(share: Share) -> tuple[int, str]:
    owners = share.claim.owners
    return (owners[0].pid, owners[0].command) if owners else (0, "")


_KEYS: dict[Order, Callable[[Share], tuple[float | str, ...]]] = {
    Order.kind: lambda share: (share.claim.kind, *_process(share)),
    Order.process: _process,
    Order.size: lambda share: (-share.claim.size,),
    Order.pins: lambda share: (-share.claim.extents.total,),
    Order.time: lambda share: (-(share.claim.seconds or 0),),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Only holders of a kind, of more than `over` bytes, or of memory that is not their owners'
    any more (`stale`); and their order. Raises UsageError if there is no such kind."""

    kind: str | None = None
    over: int = 0
    stale: bool = False
    order: Order = Order.kind

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in load():
            kinds = ", ".join(load())
            raise UsageError(f"there is no kind of holder {self.kind!r}; there are {kinds}")

    def of(self, shares: Iterable[Share]) -> tuple[Share, ...]:
        """Those that are asked for, in their order."""
        return tuple(sorted(filter(self._has, shares), key=_KEYS[self.order]))

    def _has(self, share: Share) -> bool:
        claim = share.claim
        return (
            self.kind in (None, claim.kind)
            and claim.size > self.over
            and (not self.stale or claim.mapped in (Mapped.stale, Mapped.unmapped))
        )


def select_holders(answer: Answer, selection: Selection) -> Answer:
    """The answer with only these holders; what is said about pins stays that of all."""
    return replace(answer, shares=selection.of(answer.shares))
