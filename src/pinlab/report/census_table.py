"""Tables of pinned folios: whose they are, one by one, what changed, what works here."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from itertools import islice

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.field.acts.doctor import Finding
from pinlab.field.census import Census, Confidence
from pinlab.field.census.diff import Difference
from pinlab.field.census.place import PinnedFolio, Placed
from pinlab.names import printable
from pinlab.report.fit import Column, in_blocks
from pinlab.report.units import size

PAGE = 4096
_STYLE = {Confidence.LOW: "yellow", Confidence.UNSTABLE: "bold yellow"}


def census(shown: Placed, whole: Census, *, limit: int = 0, raw: bool = False) -> RenderableType:
    """`pinlab census`: totals, whose memory it is, then folio by folio up to `limit` (0: all)."""
    parts: list[RenderableType] = [headline(whole)]
    if len(shown):
        parts += [_groups(shown), _folios(shown, limit, raw)]
        left = len(shown) - limit
        if limit and left > 0:
            parts.append(Text(f"{left:,} more folios; --limit 0 shows all.", style="dim"))
    elif len(whole.folios):
        parts.append(Text("No pinned folio is of those asked for."))
    parts += [Text(line, style="yellow") for line in notes(whole)]
    return Group(*parts)


def headline(whole: Census) -> Text:
    """One line: how many pins, how much memory, in which time, and what the kernel says."""
    text = Text(style="bold")
    folios = whole.sums.pinned
    words = "folio" if folios == 1 else "folios"
    memory = size(whole.sums.pinned_pages * PAGE)
    text.append(f"{folios:,} pinned {words}, {whole.pins:,} pins, {memory}")
    if others := len(whole.folios) - folios:
        text.append(f"; {others:,} only referenced", style="not bold")
    text.append(f"; {whole.totals.scanned:,} pages in {whole.seconds:.2f} s", style="not bold")
    text.append(f"; {printable(whole.kernel)}", style="not bold")
    outstanding = whole.totals.outstanding
    if whole.agrees:
        text.append("; the kernel's counters agree", style="not bold green")
    elif outstanding is not None:
        first, last = outstanding
        span = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        style = "not bold yellow" if whole.agrees is None else "red"
        text.append(f"; the kernel counts {span}", style=style)
    return text


def notes(whole: Census) -> list[str]:
    """What one should know before one believes the figures."""
    sums, found = whole.sums, whole.totals
    lines = []
    if sums.unstable:
        lines.append(f"{sums.unstable:,} changed while they were read (unstable).")
    if sums.low:
        lines.append(f"{sums.low:,} may be plain references that look like pins (low).")
    if found.false_positives:
        lines.append(
            f"{found.false_positives:,} more have 1024 references without a pin; "
            "the kernel takes them for pinned."
        )
    if found.vanished:
        lines.append(f"{found.vanished:,} were pinned when scanned and not when read again.")
    if found.unreadable:
        lines.append(f"{found.unreadable:,} frames have no struct page to be read.")
    if whole.agrees is False:
        lines.append(
            "Found and counted pins differ though none came or went: a pin of a folio that is "
            "freed, of memory this reader does not see, or a leak of the counters."
        )
    return lines


def _table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    right = set(numbers)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in right,
            overflow="fold",
        )
    return table


def _groups(shown: Placed) -> Table:
    table = _table("whose", "folios", "pins", "size", numbers=("folios", "pins", "size"))
    groups: dict[Hashable, list[int]] = {}
    names: dict[Hashable, str] = {}
    for row in shown.rows():
        names[row.group] = row.where
        sums = groups.setdefault(row.group, [0, 0, 0])
        sums[0] += 1
        sums[1] += row.pins
        sums[2] += row.pages * PAGE
    for key, (folios, pins, count) in sorted(groups.items(), key=lambda each: -each[1][1]):
        table.add_row(names[key], f"{folios:,}", f"{pins:,}", size(count))
    return table


_NUMBERS = ("pfn", "size", "pins", "refs", "maps", "expected", "unexplained")


def _folios(shown: Placed, limit: int, raw: bool) -> RenderableType:
    names = [*_NUMBERS, "sure", "kind", "whose", "at", *(["mapping"] if raw else [])]
    rows = [_cells(row, raw) for row in islice(shown.rows(), limit or None)]
    first, *others = (
        Column(name, cells, "right" if name in _NUMBERS else "left")
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    )
    return in_blocks(first, others)


def _cells(row: PinnedFolio, raw: bool) -> tuple[Text, ...]:
    words = [
        str(row.pfn),
        size(row.pages * PAGE),
        str(row.pins),
        str(row.refcount),
        str(row.mapcount),
        str(row.expected),
        str(row.unexplained),
    ]
    sure = Text(row.confidence.name.lower(), style=_STYLE.get(row.confidence, ""))
    kind = "hugetlb" if row.hugetlb else row.kind.name.lower()
    more = [hex(row.mapping) if row.mapping else "-"] if raw else []
    return (*map(Text, words), sure, *map(Text, (kind, row.where, at(row), *more)))


def at(row: PinnedFolio) -> str:
    """Where in its file, or at which address of who maps it."""
    if row.mapper is not None:
        return hex(row.mapper.address)
    return f"page {row.index}" if row.file is not None else "-"


def diff(difference: Difference, *, limit: int = 0) -> RenderableType:
    """`pinlab diff`: whose pins changed, then which folios."""
    before, after = difference.before.census, difference.after.census
    seconds = after.taken - before.taken
    line = Text(
        f"{before.pins:,} pins, then {after.pins:,} after {seconds:,.1f} s: "
        f"{len(difference.new):,} folios new, {len(difference.gone):,} gone, "
        f"{len(difference.grown):,} grown, {len(difference.shrunk):,} shrunk",
        style="bold",
    )
    parts: list[RenderableType] = [line]
    if not difference.comparable:
        words = "These are of different boots or machines; no frame of one is one of the other."
        parts.append(Text(words, style="yellow"))
    if difference.groups:
        table = _table("whose", "before", "after", "change", numbers=("before", "after", "change"))
        for each in difference.groups:
            change = each.after - each.before
            table.add_row(each.where, f"{each.before:,}", f"{each.after:,}", f"{change:+,}")
        parts.append(table)
    rows = [("new", 0, row) for row in difference.new]
    rows += [("grown", each.before.pins, each.after) for each in difference.grown]
    rows += [("shrunk", each.before.pins, each.after) for each in difference.shrunk]
    rows += [("gone", row.pins, row) for row in difference.gone]
    if rows:
        numbers = ("pfn", "before", "after", "size")
        table = _table("", *numbers, "whose", "at", numbers=numbers)
        for word, pins, row in islice(rows, limit or None):
            now = 0 if word == "gone" else row.pins
            table.add_row(
                word,
                str(row.pfn),
                str(pins),
                str(now),
                size(row.pages * PAGE),
                row.where,
                at(row),
            )
        parts.append(table)
        if limit and len(rows) > limit:
            words = f"{len(rows) - limit:,} more folios; --limit 0 shows all."
            parts.append(Text(words, style="dim"))
    return Group(*parts)


_WORKS = {True: ("works", "green"), False: ("no", "red"), None: ("-", "dim")}


def doctor(findings: Iterable[Finding]) -> RenderableType:
    """`pinlab doctor`: what works, and what is missing for the rest."""
    table = _table("", "what", "", "why")
    for each in findings:
        word, style = _WORKS[each.works]
        table.add_row(each.kind, each.name, Text(word, style=style), each.detail)
    return table


def taken(whole: Census) -> str:
    """When a census was taken, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(whole.taken))
