"""A timeline as one HTML file that needs nothing else: no request leaves it.

The chart is drawn by the scripts in assets/; what must be readable without them, the list of
violations, is in the page itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from pinlab.report.timeline.model import Kind, Mark, MarkKind, Timeline

LISTED = 200
"""Violations named in the list above the chart; the chart has all."""

_LEGEND = {
    Kind.STEP: ("", "step of an actor"),
    Kind.PIN: ("", "pinned"),
    Kind.WRITEBACK: ("", "under writeback"),
    Kind.DIRTY: ("", "dirty"),
}


def html(timeline: Timeline) -> str:
    """The page. Text from the recording is escaped: it may say anything."""
    count = len(timeline.violations)
    return Template(_asset("page.html")).substitute(
        title=escape(timeline.title),
        style=_asset("page.css"),
        script=_asset("chart.js") + _asset("input.js"),
        summary=escape(summary(timeline)),
        notes="\n".join(f'<p class="note">{escape(note)}</p>' for note in timeline.notes),
        severity="bad" if count else "",
        verdict=f"{count:,} violation{'' if count == 1 else 's'}" if count else "No violation seen",
        verdicts="".join(
            f"<p>{escape(name)}: {escape(verdict)}</p>" for name, verdict in timeline.verdicts
        ),
        violations=_violations(timeline),
        legend="".join(_legend(timeline)),
        events=f"{timeline.events:,}",
        tracks=f"{len(timeline.tracks):,}",
        data=_data(timeline),
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _data(timeline: Timeline) -> str:
    """What the scripts read, so that nothing in it can end their element."""
    whole: dict[str, Any] = {
        "steps": timeline.steps,
        "length": timeline.length,
        **{name: [asdict(each) for each in getattr(timeline, name)] for name in _LISTS},
    }
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


_LISTS = ("tracks", "spans", "marks", "samples")


def summary(timeline: Timeline) -> str:
    """How much there is of it, in one line."""
    time = "" if timeline.steps else f" in {_time(timeline.length)}"
    what = "steps" if timeline.steps else "events"
    return f"{timeline.events:,} {what} on {len(timeline.tracks):,} tracks{time}"


def _time(ns: int) -> str:
    """As the chart writes it: "1.203 ms"."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if ns >= size:
            return f"{round(ns / size, 6)} {unit}"
    return f"{ns} ns"


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
    when = f"step {mark.at // 1000}" if timeline.steps else f"at {_time(mark.at)}"
    what = mark.args.get("kind") or mark.args.get("source", "")
    who = f" by {process}" if (process := mark.args.get("process")) else ""
    return f"{mark.name}: {where}, {when}: {what}{who}"


def _legend(timeline: Timeline) -> Iterable[str]:
    def entry(colour: str, look: str, text: str) -> str:
        return f'<li><i class="{look}" style="--c: var(--{colour})"></i>{text}</li>'

    shown = {span.kind for span in timeline.spans}
    for kind, (look, text) in _LEGEND.items():
        if kind in shown:
            yield entry(kind.value, look, text)
    if timeline.samples:
        yield entry("pin", "curve", "count of pins")
    kinds = {mark.kind for mark in timeline.marks}
    if MarkKind.EVENT in kinds:
        yield entry("event", "mark", "other event")
    if MarkKind.VIOLATION in kinds:
        yield entry("violation", "diamond", "violation")
    if MarkKind.LOST in kinds:
        yield entry("lost", "mark", "events lost here")
