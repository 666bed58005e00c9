"""The sheets of the field: a census by whose memory it is, an answer by who holds it, a difference
by what grew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pinlab.field.census import Census
from pinlab.field.census.diff import Difference
from pinlab.field.census.place import PinnedFolio, Placed
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.target import Answer
from pinlab.report import census_table as tables
from pinlab.report import who_table
from pinlab.report.held import Bar, Sheet
from pinlab.report.units import counted, size
from pinlab.report.who_schema import FolioJson, claimed, differing

PAGE = 4096
ROWS = 5_000
"""Folios in a table, at most: a browser has to hold them."""

Value = str | tuple[int, str]


@dataclass(slots=True)
class _Sum:
    name: str
    folios: int = 0
    pins: int = 0
    bytes: int = 0


def census(shown: Placed, whole: Census) -> Sheet:
    """Of a census, all that is shown: whose memory is how much."""
    groups = _groups(shown)
    return Sheet(
        title=f"Pinned memory of {whole.kernel}, {tables.taken(whole)}",
        summary=tables.headline(whole).plain,
        notes=tuple(tables.notes(whole)),
        bars=tuple(
            Bar(it.name, it.bytes, f"{size(it.bytes)}, {_pins(it.pins, it.folios)}")
            for it in groups.values()
        ),
        columns=("frame", "size", "pins", "refs", "unexplained", "sure", "kind", "whose", "at"),
        rows=tuple(map(_folio, islice(shown.rows(), ROWS))),
        left_out=max(0, len(shown) - ROWS),
        bad=whole.agrees is False,
    )


def _groups(shown: Placed) -> dict[Hashable, _Sum]:
    found: dict[Hashable, _Sum] = {}
    for row in shown.rows():
        it = found.setdefault(row.group, _Sum(row.where))
        it.folios += 1
        it.pins += row.pins
        it.bytes += row.pages * PAGE
    return found


def _pins(pins: int, folios: int) -> str:
    return f"{counted(pins, 'pin')} on {counted(folios, 'folio')}"


def _folio(row: PinnedFolio) -> tuple[Value, ...]:
    kind = "hugetlb" if row.hugetlb else row.kind.name.lower()
    return (
        (row.pfn, f"{row.pfn:#x}"),
        _size(row.pages * PAGE),
        _number(row.pins),
        _number(row.refcount),
        _number(row.unexplained),
        row.confidence.name.lower(),
        kind,
        row.where,
        tables.at(row),
    )


def _size(count: int) -> Value:
    return count, size(count)


def _number(count: int) -> Value:
    return count, f"{count:,}"


def who(answer: Answer) -> Sheet:
    """Of an answer: who holds how much, and what nobody claims."""
    whole = answer.attribution
    claims = tuple(share.claim for share in answer.shares)
    folios = [it for it in differing(answer).unexplained if not it["unstable"]]
    rows = [*map(_claim, claims), *map(_unclaimed, folios)]
    left = answer.unexplained
    bad = bool(left or answer.overcount or answer.stale)
    summary = f"{counted(answer.pins, 'pin')}, {left:,} of an unknown holder"
    return Sheet(
        title=f"Who holds {answer.target}",
        summary=f"{summary}; {counted(len(claims), 'holder')}",
        notes=tuple(who_table.notes(whole.skipped, whole.races, answer.unsettled)),
        bars=(*(Bar(_holder(it), it.size, size(it.size)) for it in claims), *_unknown(folios)),
        columns=("holder", "process", *PLACE, "size", "count", "for", "accounted in"),
        rows=tuple(rows[:ROWS]),
        left_out=max(0, len(rows) - ROWS),
        bad=bad,
    )


UNKNOWN = "holder unknown"
PLACE = ("address range", "mapped")


def _unknown(folios: Sequence[FolioJson]) -> Iterator[Bar]:
    """What nobody claims, by whose memory it is."""
    sizes: Counter[str] = Counter()
    for it in folios:
        sizes[it["where"]] += PAGE << it["order"]
    for where, count in sizes.items():
        yield Bar(f"{UNKNOWN}: {where}", count, size(count))


def _unclaimed(it: FolioJson) -> tuple[Value, ...]:
    pins = it["pins"] - claimed(it)
    bytes_ = _size(PAGE << it["order"])
    return UNKNOWN, it["where"], "", "", bytes_, (pins, counted(pins, "pin")), "", ""


def _holder(claim: Claim) -> str:
    return f"{claim.kind}, {claim.detail}: {who_table.processes(claim.owners)}"


def _claim(claim: Claim) -> tuple[Value, ...]:
    return (
        f"{claim.kind}, {claim.detail}",
        who_table.processes(claim.owners),
        who_table.address_range(claim),
        who_table.mapped(claim),
        _size(claim.size),
        (claim.extents.total, who_table.count(claim)),
        (int(1000 * (claim.seconds or 0)), who_table.age(claim)),
        who_table.accounted(claim),
    )


def diff(difference: Difference) -> Sheet:
    """Of two censuses: what grew; a dashed frame is what there was before."""
    before, after = difference.before, difference.after
    old, new = _groups(before), _groups(after)
    bars = []
    for key in {**old, **new}:
        was, now = old.get(key, _Sum("")), new.get(key, _Sum(""))
        if (was.pins, was.bytes) != (now.pins, now.bytes):
            change = f"{was.pins:,} pins, then {now.pins:,} ({now.pins - was.pins:+,})"
            bars.append(Bar(now.name or was.name, now.bytes, change, was.bytes))
    rows: list[tuple[Value, ...]] = [("new", _number(0), *_after(row)) for row in difference.new]
    rows += [("grown", _number(it.before.pins), *_after(it.after)) for it in difference.grown]
    rows += [("shrunk", _number(it.before.pins), *_after(it.after)) for it in difference.shrunk]
    rows += [("gone", _number(row.pins), *_gone(row)) for row in difference.gone]
    seconds = after.census.taken - before.census.taken
    strange = "These are of different boots or machines; no frame of one is one of the other."
    return Sheet(
        title=f"What changed in {seconds:,.0f} s",
        summary=f"{before.census.pins:,} pins, then {after.census.pins:,}",
        notes=() if difference.comparable else (strange,),
        bars=tuple(bars),
        columns=("", "before", "after", "frame", "size", "whose", "at"),
        rows=tuple(rows[:ROWS]),
        left_out=max(0, len(rows) - ROWS),
    )


def _after(row: PinnedFolio) -> tuple[Value, ...]:
    return (_number(row.pins), *_where(row))


def _gone(row: PinnedFolio) -> tuple[Value, ...]:
    return (_number(0), *_where(row))


def _where(row: PinnedFolio) -> tuple[Value, ...]:
    return (row.pfn, f"{row.pfn:#x}"), _size(row.pages * PAGE), row.where, tables.at(row)
