"""Which holders of an answer to show, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from pinlab.errors import UsageError
from pinlab.field.holders.attribution import Share
from pinlab.field.holders.claim import Mapped
from pinlab.field.holders.target import Answer
from pinlab.field.holders.walker import load
from pinlab.field.machine.pagemap import PAGE


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
    Order.size: lambda share: (-share.claim.extents.frames,),
    Order.pins: lambda share: (-share.claim.extents.total,),
    Order.time: lambda share: (-(share.claim.seconds or 0),),
}


def select_holders(
    answer: Answer,
    *,
    kind: str | None = None,
    over: int = 0,
    stale: bool = False,
    order: Order = Order.kind,
) -> Answer:
    """The answer with only holders of a kind, of more than `over` bytes, or of memory that is not
    their owners' any more (`stale`).

    What is said about pins and their explanation stays that of all. Raises UsageError.
    """
    if kind is not None and kind not in load():
        raise UsageError(f"there is no kind of holder {kind!r}; there are {', '.join(load())}")
    kept = [
        share
        for share in answer.shares
        if kind in (None, share.claim.kind)
        and share.claim.extents.frames * PAGE > over
        and (not stale or share.claim.mapped in (Mapped.stale, Mapped.unmapped))
    ]
    return replace(answer, shares=tuple(sorted(kept, key=_KEYS[order])))
