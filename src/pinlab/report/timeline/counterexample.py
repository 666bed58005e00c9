"""A counterexample of the lab as a timeline: its pages as folios, its actors below them."""

from __future__ import annotations

from dataclasses import replace

from pinlab.field.events.schema import Meta, Row
from pinlab.lab.results import Trace, TraceStep
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from pinlab.report.chart import headline
from pinlab.report.timeline import build
from pinlab.report.timeline.model import Args, Group, Kind, Mark, MarkKind, Span, Timeline, Track
from pinlab.report.timeline.rows import MODEL

STEP = 1000
"""A step is a microsecond, so that viewers of traces show the number of the step."""


def timeline(trace: Trace) -> Timeline:
    """The timeline of `trace`, its last step marked as what breaks the objective."""
    rows = [_row(step, Event(event), page) for step in trace.steps for event, page in step.events]
    found = build.timeline(rows, _META, title=headline(trace), steps=True)
    shift = rows[0].ts_ns if rows else 0  # a timeline of rows begins at the first of them
    pages = len(found.tracks)
    steps = [_span(step, pages + trace.actors.index(step.actor)) for step in trace.steps]
    length = (trace.steps[-1].number + 1) * STEP if trace.steps else 0
    last = tuple(_mark(trace, step, pages) for step in trace.steps[-1:])
    return replace(
        found,
        events=len(trace.steps),
        tracks=(*found.tracks, *(Track(actor, Group.ACTOR) for actor in trace.actors)),
        spans=(*(_later(span, shift, length) for span in found.spans), *steps),
        marks=(*(replace(mark, at=mark.at + shift) for mark in found.marks), *last),
        samples=tuple(replace(each, at=each.at + shift) for each in found.samples),
        length=length,
        start=0,
        notes=(trace.message,) if trace.message else (),
    )


def _later(span: Span, shift: int, length: int) -> Span:
    """Not over at the last step: lasts to the end of the picture."""
    end = length if span.cut == "end" else span.end + shift
    return replace(span, start=span.start + shift, end=end, cut="")


def _span(step: TraceStep, track: int) -> Span:
    at = step.number * STEP
    args: Args = {
        "step": step.number,
        "source": step.source.strip(),
        "where": f"{step.function}, {step.file}:{step.line}",
    }
    changes = {name: f"{old} -> {new}" for name, old, new in step.changes}
    found = {**args, **dict(step.reads), **changes}
    return Span(track, Kind.STEP, step.function, at, at + STEP, found)


def _mark(trace: Trace, step: TraceStep, pages: int) -> Mark:
    broken = trace.outcome is Outcome.VIOLATED
    name = f"violates {trace.objective}" if broken else "end of the replay"
    kind = MarkKind.VIOLATION if broken else MarkKind.EVENT
    args: Args = {"step": step.number, "source": step.source.strip(), "claim": trace.claim}
    return Mark(pages + trace.actors.index(step.actor), kind, name, step.number * STEP, args)


def _row(step: TraceStep, event: Event, page: int) -> Row:
    """What the lab knows of an event. Everything else is empty."""
    return Row(
        seq=step.number,
        ts_ns=step.number * STEP,
        src=MODEL,
        kernel=MODEL,
        kind=event,
        pfn=page,
        head_pfn=page,
        refcount=0,
        has_private=False,
        comm=step.actor,
        dropped_before=0,
        cpu=0,
        order=0,
        flags=0,
        mapping=0,
        index=0,
        pid=0,
        tid=0,
        pincount=None,
        mapcount=None,
        dev=None,
        ino=None,
        op=None,
        io_id=None,
        io_dev=None,
        io_pinned=None,
        stack_id=None,
        ret=None,
    )


_META = Meta(
    kernel=MODEL,
    btf_sha256="",
    attached=(),
    failed=(),
    ring_bytes=0,
    lost=0,
    flag_bits={},
    stacks=(),
    began_ns=0,
    ended_ns=0,
)
