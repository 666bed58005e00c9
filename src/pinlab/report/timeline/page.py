"""A timeline as one HTML file that needs nothing else: no request leaves it.

The chart is drawn by the scripts in assets/; what must be readable without them, the list of
violations, is in the page itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape
from operator import attrgetter
from string import Template
from typing import Any

from pinlab.names import printable
from pinlab.report.page.shell import asset, page
from pinlab.report.timeline.model import Kind, Mark, MarkKind, Sample, Span, Timeline, Track
from pinlab.report.timeline.summary import line, time

LISTED = 200
"""Violations named in the list above the chart; the chart has all."""

_LEGEND = {
    Kind.PIN: "pinned",
    Kind.WRITEBACK: "under writeback",
    Kind.DIRTY: "dirty",
}


def html(timeline: Timeline) -> str:
    """The page. Text from the recording is escaped: it may say anything."""
    count = len(timeline.violations)
    body = Template(asset(__package__, "page.html")).substitute(
        title=escape(timeline.title),
        summary=escape(line(timeline)),
        notes="\n".join(f'<p class="note">{escape(note)}</p>' for note in timeline.notes),
        severity="bad" if count else "",
        verdict=f"{count:,} violation{'' if count == 1 else 's'}" if count else "No violation seen",
        verdicts="".join(
            f"<p>{escape(name)}: {escape(printable(str(verdict)))}</p>"
            for name, verdict in timeline.verdicts.items()
        ),
        violations=_violations(timeline),
        legend="".join(_legend(timeline)),
        events=f"{timeline.events:,}",
        tracks=f"{len(timeline.tracks):,}",
    )
    return page(
        timeline.title,
        body,
        style=asset(__package__, "chart.css"),
        script=asset(__package__, "chart.js") + asset(__package__, "input.js"),
        data=_data(timeline),
    )


def _data(timeline: Timeline) -> dict[str, Any]:
    """What the scripts read."""
    return {
        "length": timeline.length,
        "accused": sorted(timeline.accused),
        "tracks": _table(timeline.tracks),
        "spans": _table(timeline.spans),
        "marks": _table(timeline.marks),
        "samples": _table(timeline.samples),
    }


def _table(things: Sequence[Track | Span | Mark | Sample]) -> dict[str, Any]:
    """Names once, then values: a recording has very many of them."""
    names = [each.name for each in fields(things[0])] if things else []
    return {"names": names, "rows": list(map(attrgetter(*names), things)) if names else []}


def _violations(timeline: Timeline) -> str:
    if not timeline.violations:
        return ""
    numbered = [
        (number, mark)
        for number, mark in enumerate(timeline.marks)
        if mark.kind is MarkKind.VIOLATION
    ]
    lines = [
        f'<li><button type="button" data-mark="{number}">{escape(_line(timeline, mark))}'
        "</button></li>"
        for number, mark in numbered[:LISTED]
    ]
    more = len(numbered) - LISTED
    rest = f"<p>... and {more:,} more, all in the chart.</p>" if more > 0 else ""
    return f"<ol>{''.join(lines)}</ol>{rest}"


def _line(timeline: Timeline, mark: Mark) -> str:
    """A violation in one line."""
    where = "" if mark.track is None else timeline.tracks[mark.track].name
    when = f"at {time(mark.at)}"
    what = mark.args.get("kind") or mark.args.get("source", "")
    who = f" by {process}" if (process := mark.args.get("process")) else ""
    return f"{mark.name}: {where}, {when}: {what}{who}"


def _legend(timeline: Timeline) -> Iterable[str]:
    def entry(colour: str, look: str, text: str) -> str:
        return f'<li><i class="{look}" style="--c: var(--{colour})"></i>{text}</li>'

    shown = {span.kind for span in timeline.spans}
    for kind, text in _LEGEND.items():
        if kind in shown:
            yield entry(kind.value, "", text)
    if timeline.samples:
        yield entry("pin", "curve", "count of pins")
    kinds = {mark.kind for mark in timeline.marks}
    if MarkKind.EVENT in kinds:
        yield entry("event", "mark", "other event")
    if MarkKind.VIOLATION in kinds:
        yield entry("violation", "diamond", "violation")
    if MarkKind.LOST in kinds:
        yield entry("lost", "mark", "events lost here")
