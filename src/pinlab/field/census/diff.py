"""What became of the pinned folios between two censuses: how a leak is found.

A frame number alone says little, since frames are used again; a folio is taken for the same only
if it is also the same page of the same file, or the same process's at the same address.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from pinlab.field.census.place import PinnedFolio, Placed


@dataclass(frozen=True, slots=True)
class Change:
    """A folio pinned more, or less, often than before."""

    before: PinnedFolio
    after: PinnedFolio


@dataclass(frozen=True, slots=True)
class GroupChange:
    """The pins of one file or one process, before and after."""

    where: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The way from one census to another; each tuple ascending by frame number."""

    before: Placed
    after: Placed
    new: tuple[PinnedFolio, ...]
    gone: tuple[PinnedFolio, ...]
    grown: tuple[Change, ...]
    shrunk: tuple[Change, ...]
    groups: tuple[GroupChange, ...]
    """Those that changed, the greatest growth first."""
    comparable: bool
    """Whether both are of one boot of one machine, so that frames can be the same at all."""

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.grown or self.shrunk)


def diff(before: Placed, after: Placed) -> Difference:
    """Compare two censuses."""
    old = {_identity(row): row for row in before.rows()}
    now = {_identity(row): row for row in after.rows()}
    both = [Change(old[key], row) for key, row in now.items() if key in old]
    return Difference(
        before=before,
        after=after,
        new=tuple(row for key, row in now.items() if key not in old),
        gone=tuple(row for key, row in old.items() if key not in now),
        grown=tuple(each for each in both if each.after.pins > each.before.pins),
        shrunk=tuple(each for each in both if each.after.pins < each.before.pins),
        groups=_groups(before, after),
        comparable=before.census.boot == after.census.boot,
    )


def _identity(row: PinnedFolio) -> Hashable:
    if row.file is not None:
        return row.pfn, row.order, row.file.device, row.file.inode, row.index
    if row.mapper is not None:
        return row.pfn, row.order, row.mapper.pid, row.mapper.address
    return row.pfn, row.order, row.kind, row.index


def _groups(before: Placed, after: Placed) -> tuple[GroupChange, ...]:
    pins: dict[Hashable, list[int]] = {}
    names: dict[Hashable, str] = {}
    for i, placed in enumerate((before, after)):
        for row in placed.rows():
            pins.setdefault(row.group, [0, 0])[i] += row.pins
            names[row.group] = row.where
    changed = [
        GroupChange(names[key], then, now) for key, (then, now) in pins.items() if then != now
    ]
    return tuple(sorted(changed, key=lambda each: (each.before - each.after, each.where)))
