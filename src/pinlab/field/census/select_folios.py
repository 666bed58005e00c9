"""Which folios of a census to show, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census.place import PinnedFolio, Placed


class Sort(StrEnum):
    """What to sort by; counts come largest first."""

    pfn = "pfn"
    pins = "pins"
    order = "order"
    refcount = "refcount"
    unexplained = "unexplained"
    file = "file"
    owner = "owner"


def select_folios(
    placed: Placed,
    *,
    over: int | None = None,
    unexplained: bool = False,
    references: bool = False,
    file: Callable[[Placed], NDArray[np.bool_]] | None = None,
    pid: int | None = None,
    sort: Sort = Sort.pfn,
) -> Placed:
    """The folios with more than `over` pins, with references nobody explains, of a file, or
    mapped by a process; `references` leaves out that of a batch that puts it on an LRU list."""
    folios = placed.census.folios
    keep = np.ones(len(folios), np.bool_)
    if over is not None:
        keep &= folios.pins > over
    if unexplained:
        keep &= folios.unexplained != 0
    if references:
        keep &= placed.census.references > 0
    if file is not None:
        keep &= file(placed)
    if pid is not None:
        keep &= np.array(
            [each is not None and each.pid == pid for each in placed.mappers], np.bool_
        )
    chosen = placed.take(np.flatnonzero(keep))
    if sort is Sort.pfn:
        return chosen
    rows = list(chosen.rows())
    order = sorted(range(len(rows)), key=lambda i: _key(rows[i], sort))
    return chosen.take(np.array(order, np.intp))


def _key(row: PinnedFolio, sort: Sort) -> tuple[int | str, ...]:
    if sort in (Sort.pins, Sort.order, Sort.refcount, Sort.unexplained):
        return -int(getattr(row, sort.value)), row.pfn
    if sort is Sort.file:
        file = row.file
        return ("~", "", row.pfn) if file is None else (row.where, row.index, row.pfn)
    mapper = row.mapper
    if mapper is None:
        return (1, "", 0, row.pfn)
    return (0, mapper.command, mapper.pid, mapper.address)
