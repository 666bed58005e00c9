"""The page of a sheet. Names of processes and files are anybody's, and are escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from string import Template

from pinlab.names import printable
from pinlab.report.held import Bar, Sheet
from pinlab.report.page.shell import asset, page, table_script
from pinlab.report.units import size

SHOWN = 40
"""Bars, at most: the rest is told in one."""


def html(sheet: Sheet) -> str:
    """The page."""
    grew = any(bar.before is not None for bar in sheet.bars)
    rest = f"<p>{sheet.left_out:,} more are left out; --json has all.</p>" if sheet.left_out else ""
    body = Template(asset(__package__, "held.html")).substitute(
        title=_text(sheet.title),
        summary=_text(sheet.summary),
        severity="bad" if sheet.bad else "",
        notes="".join(f'<p class="note">{_text(note)}</p>' for note in sheet.notes),
        order="What grew most comes first" if grew else "By size, the largest first",
        bars="".join(_bars(sheet)) or "<li>Nobody.</li>",
        heads="".join(
            f'<th scope="col"><button type="button">{_text(name)}</button></th>'
            for name in sheet.columns
        ),
        rows="".join(_rows(sheet)),
        rest=rest,
    )
    return page(sheet.title, body, style=asset(__package__, "held.css"), script=table_script())


def _text(text: str) -> str:
    return escape(printable(text))


def _bars(sheet: Sheet) -> Iterator[str]:
    ordered = sorted(sheet.bars, key=lambda bar: -bar.weight)
    shown, others = ordered[:SHOWN], ordered[SHOWN:]
    if others:
        more = sum(bar.size for bar in others)
        shown.append(Bar(f"{len(others):,} others", more, size(more)))
    whole = max((max(bar.size, bar.before or 0) for bar in shown), default=0)
    for bar in shown:
        yield _bar(bar, whole)


def _bar(bar: Bar, whole: int) -> str:
    was = ""
    if bar.before is not None:
        was = f'<span class="was" style="width:{_share(bar.before, whole):.2f}%"></span>'
    return (
        f'<li data-size="{bar.size}"><span class="name">{_text(bar.name)}</span>'
        f'<span class="said">{_text(bar.said)}</span><span class="bar">{was}'
        f'<span class="now" style="width:{_share(bar.size, whole):.2f}%"></span></span></li>\n'
    )


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _rows(sheet: Sheet) -> Iterator[str]:
    for row in sheet.rows:
        cells = (
            f"<td>{_text(value)}</td>"
            if isinstance(value, str)
            else f'<td class="number" data-sort="{value[0]}">{_text(value[1])}</td>'
            for value in row
        )
        yield f"<tr>{''.join(cells)}</tr>\n"
