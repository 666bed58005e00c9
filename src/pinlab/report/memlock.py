"""`pinlab who --user`: what is counted against a user's RLIMIT_MEMLOCK, as a table and as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.field.holders.charges import Memlock
from pinlab.field.machine.pagemap import PAGE
from pinlab.names import printable
from pinlab.report import units
from pinlab.report.who_schema import OwnerJson, owners_json
from pinlab.report.who_table import processes

UNLIMITED = (1 << 64) - 1
"""RLIM_INFINITY."""


class ChargeJson(TypedDict):
    """Something that is counted."""

    kind: str
    detail: str
    owners: list[OwnerJson]
    pages: int


class MemlockJson(TypedDict):
    """`pinlab who --user --json`; pages are of 4 KiB, the limit in bytes (null: none)."""

    schema: Literal["pinlab.memlock/1"]
    user: str
    uid: int
    charges: list[ChargeJson]
    found: int
    counted: int
    settled: bool
    limit: int | None
    mlocked: int
    races: int


def as_json(found: Memlock, name: str) -> MemlockJson:
    """As "pinlab.memlock/1"."""
    return {
        "schema": "pinlab.memlock/1",
        "user": name,
        "uid": found.uid,
        "charges": [
            {
                "kind": each.kind,
                "detail": each.detail,
                "owners": owners_json(each.owners),
                "pages": each.pages,
            }
            for each in found.charges
        ],
        "found": found.found,
        "counted": found.counted,
        "settled": found.settled,
        "limit": None if found.limit == UNLIMITED else found.limit,
        "mlocked": found.mlocked,
        "races": found.races,
    }


def as_table(found: Memlock, name: str, limit: int = 40) -> RenderableType:
    """The charges, largest first, and the two sums."""
    parts: list[RenderableType] = []
    charges = sorted(found.charges, key=lambda each: -each.pages)
    shown = charges[:limit] if limit else charges
    if shown:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for column in ("counted for", "process", "size"):
            table.add_column(column, overflow="fold")
        for each in shown:
            what = printable(f"{each.kind}, {each.detail}")
            table.add_row(what, processes(each.owners), units.size(each.pages * PAGE))
        parts.append(table)
    if len(shown) < len(charges):
        parts.append(Text(f"... and {len(charges) - len(shown):,} more; --limit 0 shows all."))
    words = f"{printable(name)} (uid {found.uid}): {units.size(found.counted * PAGE)} counted"
    words += f" by the kernel, {units.size(found.found * PAGE)} of it found"
    if found.limit is not None:
        least = "no limit" if found.limit == UNLIMITED else units.size(found.limit)
        words += f"; the least RLIMIT_MEMLOCK of a process: {least}"
    right = found.found == found.counted
    parts.append(Text(words + ".", style="bold" if right else "bold red"))
    if not right:
        other = "" if found.settled else " It changed while it was looked at."
        parts.append(Text(f"The two differ: something counts that is not known here.{other}"))
    words = "By mlock() and the like, which count against the limit of each process by itself: "
    parts.append(
        Text(f"{words}{units.size(found.mlocked * PAGE)} (VmLck) in all of its processes.")
    )
    return Group(*parts)
