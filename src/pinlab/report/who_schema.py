"""`pinlab who --json`: holders, totals, and the pins that nobody claims. docs/holders.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypedDict

from pinlab.field.holders.attribution import Share, Skipped, Walked
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extent
from pinlab.field.holders.target import Answer
from pinlab.field.holders.uses import Uses


class OwnerJson(TypedDict):
    """A process."""

    pid: int
    command: str
    fd: int | None
    by: str | None


class ClaimJson(TypedDict):
    """A holder. An extent is [first frame, frames, count]."""

    kind: str
    detail: str
    owners: list[OwnerJson]
    address: int | None
    length: int | None
    frames: int | None
    count: int | None
    counted_as: str
    found: int | None
    missing: int
    passing: int
    accounted_in: list[str]
    accounted_to: int | None
    mapped: str | None
    mapped_at: int | None
    mapped_by: int | None
    stale_pages: int
    seconds: float | None
    weak: bool
    extents: list[tuple[int, int, int]]


class FolioJson(TypedDict):
    """A folio whose pins and claims differ."""

    pfn: int
    order: int
    pins: int
    explained: int
    weakly: int
    references: int
    known: int
    unstable: bool
    where: str


class SkippedJson(TypedDict):
    """A walker that could not look."""

    kind: str
    reason: str


class TotalJson(TypedDict):
    """What one kind or one process holds."""

    name: str
    pid: int | None
    claims: int
    count: int | None
    bytes: int


class TotalsJson(TypedDict):
    """All of it. The first five are null where there is no census, the next three where plain
    references were not asked for."""

    pins: int | None
    explained: int | None
    unexplained: int | None
    unsure: int | None
    overcount: int | None
    beyond_books: int | None
    claimed: int | None
    unclaimed: int | None
    references: int
    by_kind: list[TotalJson]
    by_process: list[TotalJson]


class MapperJson(TypedDict):
    """A process that maps it, and where."""

    pid: int
    command: str
    address: int


class UsesJson(TypedDict):
    """Who uses what nobody pins."""

    cached: int | None
    mapped_by: list[MapperJson]
    open_by: list[OwnerJson]
    resident: dict[str, int] | None


class WhoJson(TypedDict):
    """`pinlab who --json`."""

    schema: Literal["pinlab.who/1"]
    kernel: str | None
    target: str
    weak: bool
    races: int
    claims: list[ClaimJson]
    unexplained: list[FolioJson]
    overcount: list[FolioJson]
    referenced: list[FolioJson]
    totals: TotalsJson
    uses: UsesJson | None
    skipped: list[SkippedJson]


def who(answer: Answer, uses: Uses | None = None) -> WhoJson:
    """An answer as "pinlab.who/1"."""
    whole, odd = answer.attribution, differing(answer)
    return {
        "schema": "pinlab.who/1",
        "kernel": whole.census.kernel,
        "target": str(answer.target),
        "weak": False,
        "races": whole.races,
        "claims": [_claim(share) for share in answer.shares],
        "unexplained": odd.unexplained,
        "overcount": odd.overcount,
        "referenced": odd.referenced,
        "totals": totals(answer),
        "uses": None if uses is None else _uses(uses),
        "skipped": _skipped(whole.skipped),
    }


class Differing(NamedTuple):
    """Folios whose pins, or references, and claims differ."""

    unexplained: list[FolioJson]
    overcount: list[FolioJson]
    referenced: list[FolioJson]


def differing(answer: Answer) -> Differing:
    """Where an answer's pins and claims differ, by how they do."""
    whole, folios = answer.attribution, _folios(answer)
    strange: set[int] = set()
    if whole.asked_references:
        strange = set(whole.census.folios.pfn[whole.strangers > 0].tolist())
    return Differing(
        [each for each in folios if each["pins"] > claimed(each)],
        [each for each in folios if each["pins"] < each["explained"]],
        [each for each in folios if each["pfn"] in strange],
    )


def totals(answer: Answer) -> TotalsJson:
    """The sums of an answer."""
    asked = answer.attribution.asked_references
    return {
        "pins": answer.pins,
        "explained": answer.pins - answer.unexplained - answer.unsure,
        "unexplained": answer.unexplained,
        "unsure": answer.unsure,
        "overcount": answer.overcount,
        "beyond_books": answer.references if asked else None,
        "claimed": answer.claimed_references if asked else None,
        "unclaimed": answer.strangers if asked else None,
        **_totals(share.claim for share in answer.shares),
    }


def weak(walked: Walked, target: str) -> WhoJson:
    """What /proc alone tells as "pinlab.who/1"."""
    return {
        "schema": "pinlab.who/1",
        "kernel": None,
        "target": target,
        "weak": True,
        "races": walked.races,
        "claims": [_claim(Share(each, each.extents.total, 0)) for each in walked.claims],
        "unexplained": [],
        "overcount": [],
        "referenced": [],
        "totals": {
            "pins": None,
            "explained": None,
            "unexplained": None,
            "unsure": None,
            "overcount": None,
            "beyond_books": None,
            "claimed": None,
            "unclaimed": None,
            **_totals(walked.claims),
        },
        "uses": None,
        "skipped": _skipped(walked.skipped),
    }


def _uses(uses: Uses) -> UsesJson:
    return {
        "cached": uses.cached,
        "mapped_by": [
            {"pid": each.pid, "command": each.command, "address": each.address}
            for each in uses.mapped_by
        ],
        "open_by": owners_json(uses.open_by),
        "resident": uses.resident,
    }


def claimed(folio: FolioJson) -> int:
    """Pins of a folio that somebody claims, however weakly."""
    return folio["explained"] + folio["weakly"]


def _claim(share: Share) -> ClaimJson:
    claim = share.claim
    return {
        "kind": claim.kind,
        "detail": claim.detail,
        "owners": owners(claim),
        "address": claim.address,
        "length": claim.length,
        "frames": claim.extents.frames if claim.known else None,
        "count": claim.extents.total if claim.known else None,
        "counted_as": "references" if claim.references else "pins",
        "found": share.found if claim.known else None,
        "missing": share.missing,
        "passing": share.passing,
        "accounted_in": [place.value for place in claim.accounted_in],
        "accounted_to": claim.payer,
        "mapped": claim.mapped,
        "mapped_at": claim.mapped_at,
        "mapped_by": claim.mapped_by,
        "stale_pages": claim.stale_pages,
        "seconds": claim.seconds,
        "weak": claim.weak,
        "extents": [(each.pfn, each.pages, each.times) for each in joined(claim.extents)],
    }


def owners(claim: Claim) -> list[OwnerJson]:
    """The processes of a holder."""
    return owners_json(claim.owners)


def owners_json(owners: Iterable[Owner]) -> list[OwnerJson]:
    """Processes, each with how it has what they have."""
    return [
        {"pid": each.pid, "command": each.command, "fd": each.fd, "by": each.by or None}
        for each in owners
    ]


def joined(extents: Iterable[Extent]) -> list[Extent]:
    """Neighbours that are held once per page as one extent."""
    found: list[Extent] = []
    for each in extents:
        last = found[-1] if found else None
        if (
            last is not None
            and last.pfn + last.pages == each.pfn
            and last.pages == last.times
            and each.pages == each.times
        ):
            found[-1] = Extent(last.pfn, last.pages + each.pages, last.times + each.times)
        else:
            found.append(each)
    return found


def _folios(answer: Answer) -> list[FolioJson]:
    whole = answer.attribution
    place = {int(pfn): row for row, pfn in enumerate(whole.census.folios.pfn.tolist())}
    references = whole.census.references
    return [
        {
            "pfn": each.pfn,
            "order": each.order,
            "pins": each.pins,
            "explained": int(whole.explained[place[each.pfn]]),
            "weakly": int(whole.weakly[place[each.pfn]]),
            "references": int(references[place[each.pfn]]),
            "known": 0 if whole.plain is None else int(whole.plain[place[each.pfn]]),
            "unstable": not whole.sure[place[each.pfn]],
            "where": each.where,
        }
        for each in answer.placed.rows()
    ]


class _Totals(TypedDict):
    references: int
    by_kind: list[TotalJson]
    by_process: list[TotalJson]


def _totals(claims: Iterable[Claim]) -> _Totals:
    sums: dict[tuple[str, int | None], TotalJson] = {}
    references = 0

    def add(name: str, pid: int | None, claim: Claim) -> None:
        blank: TotalJson = {"name": name, "pid": pid, "claims": 0, "count": 0, "bytes": 0}
        total = sums.setdefault((name, pid), blank)
        total["claims"] += 1
        known = total["count"] is not None and claim.known
        total["count"] = (total["count"] or 0) + claim.extents.total if known else None
        total["bytes"] += claim.size

    for claim in claims:
        references += claim.extents.total if claim.references else 0
        add(claim.kind, None, claim)
        for pid, command in sorted({(owner.pid, owner.command) for owner in claim.owners}):
            add(command, pid, claim)
    ordered = sorted(sums.values(), key=lambda total: -total["bytes"])
    return {
        "references": references,
        "by_kind": [total for total in ordered if total["pid"] is None],
        "by_process": [total for total in ordered if total["pid"] is not None],
    }


def _skipped(skipped: Iterable[Skipped]) -> list[SkippedJson]:
    return [{"kind": each.kind, "reason": each.reason} for each in skipped]
