"""What `pinlab census --json`, `diff --json` and `doctor --json` print; see docs/field.md.

Kernel addresses are null unless they were asked for (`--raw`). Lists of folios are made as they
are written: half a million of them are half a gigabyte otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypedDict

from pinlab.field.acts.doctor import Finding
from pinlab.field.census import Census
from pinlab.field.census.diff import Change, Difference
from pinlab.field.census.place import PinnedFolio, Placed
from pinlab.field.census.result import Confidence, Kind


class FileJson(TypedDict):
    """A file, and the folio's place in it in pages."""

    device: str
    inode: int
    file_system: str
    path: str | None
    index: int


class OwnerJson(TypedDict):
    """A process, and where it maps the folio."""

    pid: int
    command: str
    address: int


class FolioJson(TypedDict):
    """One pinned folio."""

    pfn: int
    order: int
    pins: int
    refcount: int
    mapcount: int
    expected: int
    unexplained: int
    confidence: str
    kind: str
    hugetlb: bool
    flags: list[str]
    file: FileJson | None
    owner: OwnerJson | None
    mapping: int | None


class CountersJson(TypedDict):
    """nr_foll_pin_* before and after."""

    acquired: tuple[int, int] | None
    released: tuple[int, int] | None
    outstanding: tuple[int, int] | None


class TotalsJson(TypedDict):
    """What all folios add up to, also those that a filter left out."""

    folios: int
    pinned: int
    pages: int
    bytes: int
    pins: int
    unexplained: int
    low_confidence: int
    unstable: int
    false_positives: int
    vanished: int
    scanned: int
    unreadable: int
    counters: CountersJson
    agrees: bool | None


class CensusJson(TypedDict):
    """`pinlab census --json`."""

    schema: Literal["pinlab.census/1"]
    kernel: str
    source: str
    taken: float
    seconds: float
    folios: Iterator[FolioJson]
    totals: TotalsJson


class ChangeJson(TypedDict):
    """A folio with more or fewer pins than before."""

    before: int
    folio: FolioJson


class GroupJson(TypedDict):
    """The pins of one file or process."""

    where: str
    before: int
    after: int


class DiffJson(TypedDict):
    """`pinlab diff --json`."""

    schema: Literal["pinlab.diff/1"]
    comparable: bool
    seconds: float
    new: Iterator[FolioJson]
    gone: Iterator[FolioJson]
    grown: Iterator[ChangeJson]
    shrunk: Iterator[ChangeJson]
    groups: list[GroupJson]


class FindingJson(TypedDict):
    """One thing that works here or does not."""

    kind: str
    name: str
    works: bool | None
    detail: str


class DoctorJson(TypedDict):
    """`pinlab doctor --json`."""

    schema: Literal["pinlab.doctor/1"]
    findings: list[FindingJson]


_CONFIDENCES = {each: each.name.lower() for each in Confidence}
_KINDS = {each: each.name.lower() for each in Kind}


def census(shown: Placed, whole: Census, *, raw: bool = False) -> CensusJson:
    """A census as "pinlab.census/1"; `whole` is the one that `shown` was selected from."""
    return {
        "schema": "pinlab.census/1",
        "kernel": whole.kernel,
        "source": whole.source,
        "taken": round(whole.taken, 3),
        "seconds": round(whole.seconds, 4),
        "folios": (folio(row, raw=raw) for row in shown.rows()),
        "totals": totals(whole),
    }


def totals(whole: Census) -> TotalsJson:
    """The totals of a census."""
    sums = whole.sums
    found = whole.totals
    return {
        "folios": len(whole.folios),
        "pinned": sums.pinned,
        "pages": sums.pages,
        "bytes": sums.bytes,
        "pins": whole.pins,
        "unexplained": sums.unexplained,
        "low_confidence": sums.low,
        "unstable": sums.unstable,
        "false_positives": found.false_positives,
        "vanished": found.vanished,
        "scanned": found.scanned,
        "unreadable": found.unreadable,
        "counters": {
            "acquired": found.acquired,
            "released": found.released,
            "outstanding": found.outstanding,
        },
        "agrees": whole.agrees,
    }


def folio(row: PinnedFolio, *, raw: bool = False) -> FolioJson:
    """One folio."""
    return {
        "pfn": row.pfn,
        "order": row.order,
        "pins": row.pins,
        "refcount": row.refcount,
        "mapcount": row.mapcount,
        "expected": row.expected,
        "unexplained": row.unexplained,
        "confidence": _CONFIDENCES[row.confidence],
        "kind": _KINDS[row.kind],
        "hugetlb": row.hugetlb,
        "flags": list(row.flags),
        "file": None
        if row.file is None
        else {
            "device": row.file.device,
            "inode": row.file.inode,
            "file_system": row.file.file_system,
            "path": row.file.path,
            "index": row.index,
        },
        "owner": None
        if row.mapper is None
        else {
            "pid": row.mapper.pid,
            "command": row.mapper.command,
            "address": row.mapper.address,
        },
        "mapping": row.mapping if raw else None,
    }


def diff(difference: Difference) -> DiffJson:
    """A comparison as "pinlab.diff/1"."""
    before, after = difference.before.census, difference.after.census
    return {
        "schema": "pinlab.diff/1",
        "comparable": difference.comparable,
        "seconds": round(after.taken - before.taken, 3),
        "new": map(folio, difference.new),
        "gone": map(folio, difference.gone),
        "grown": map(_change, difference.grown),
        "shrunk": map(_change, difference.shrunk),
        "groups": [
            {"where": each.where, "before": each.before, "after": each.after}
            for each in difference.groups
        ],
    }


def _change(changed: Change) -> ChangeJson:
    return {"before": changed.before.pins, "folio": folio(changed.after)}


def doctor(findings: Iterable[Finding]) -> DoctorJson:
    """What works here, as "pinlab.doctor/1"."""
    return {
        "schema": "pinlab.doctor/1",
        "findings": [
            {"kind": each.kind, "name": each.name, "works": each.works, "detail": each.detail}
            for each in findings
        ],
    }
