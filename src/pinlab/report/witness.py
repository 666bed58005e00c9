"""`pinlab witness`: what was done, what was seen, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.field.acts.witness.evidence import PROMISES, SENT, Bytes, Look, Moment, Page
from pinlab.field.acts.witness.runs import Series
from pinlab.field.acts.witness.scene import LATER, Hazard, Scene, Step, covers
from pinlab.field.events.monitor import HISTORY
from pinlab.report import events as report
from pinlab.report.events import EventJson, VerdictJson, ViolationJson

Z = 1.96
"""Of a normal distribution 95 % lie so many standard deviations from its mean."""


class BytesJson(TypedDict):
    """Bytes of a page: the first, in hex, and whose the page is full of."""

    head: str
    whose: str


class PageJson(TypedDict):
    """A page at one moment. `disk` is null if it was written nowhere; `image_byte` is where."""

    index: int
    pfn: int
    dirty: bool
    writeback: bool
    same: bool
    memory: BytesJson
    disk: BytesJson | None
    image_byte: int | None


class LookJson(TypedDict):
    """The pages at one moment; `kept`: none dirty, and the disk has what is in memory."""

    moment: str
    kept: bool
    pages: list[PageJson]


class StepJson(TypedDict):
    """What was done or found, and microseconds since the first step."""

    us: float
    text: str
    look: LookJson | None


class CourseJson(TypedDict):
    """What the second fsync did to so many `pages`: made dirty, writeback begun, and how it ended.

    By the events between the looks around it; `redirtied` and `written` are for each page, `by`
    the ways on which it was made dirty.
    """

    pages: int
    redirtied: int
    written: int
    kept: bool
    by: list[str]


class RunJson(TypedDict):
    """One run in numbers. `broken`: moments at which an fsync had not done what it is for."""

    reproduced: bool
    violations: int
    orphaned: int
    lost: int
    verdicts: dict[str, str]
    broken: list[str]
    steps: list[StepJson]


class RateJson(TypedDict):
    """At one moment: in `dirty` of `runs` a page was PG_dirty, in `differing` not on the disk.

    Each interval is Wilson's, of 95 %, as two shares of 1.
    """

    moment: str
    runs: int
    dirty: int
    dirty_interval: tuple[float, float]
    differing: int
    differing_interval: tuple[float, float]


class WitnessJson(TypedDict):
    """`pinlab witness --json`. `orphaned` are pages that lost their file while pinned.

    `sent` are the first bytes that the device sends to each page, in hex. `steps`, `verdicts`,
    `violations`, `orphaned` and `lost` are of the run `shown`, from 0.
    """

    schema: Literal["pinlab.witness/1"]
    hazard: str
    file_system: str
    control: bool
    sent: str
    reproduced: bool
    asked: int
    ended: str
    kernel: str
    rates: list[RateJson]
    courses: list[CourseJson]
    runs: list[RunJson]
    shown: int
    lost: int
    steps: list[StepJson]
    verdicts: list[VerdictJson]
    violations: list[ViolationJson]
    orphaned: list[EventJson]


MEANING = {
    Hazard.o1: "a page was written back while a device could store into it",
    Hazard.o2: "a clean page was made dirty, and the file system had not been told",
    Hazard.truncate: "a page lost its file while a device could store into it",
}

MOMENTS = {
    Moment.SYNCED: "written, and an fsync returned 0",
    Moment.FSYNC: "fsync returned 0",
    Moment.ANSWERED: "the device has answered",
    Moment.SECOND_FSYNC: "a second fsync returned 0",
    Moment.LATER: f"{LATER:g} s later",
    Moment.THIRD_FSYNC: "a third fsync returned 0",
    Moment.SYNCFS: "syncfs returned 0",
}


# -- JSON --------------------------------------------------------------------------------------


def to_json(series: Series) -> WitnessJson:
    """What happened, for machines."""
    scene = series.scenes[series.shown]
    assert scene.meta is not None
    return {
        "schema": "pinlab.witness/1",
        "hazard": series.hazard.value,
        "file_system": series.file_system.value,
        "control": series.control,
        "sent": SENT.hex(),
        "reproduced": bool(series.reproduced),
        "asked": series.asked,
        "ended": series.ended,
        "kernel": scene.meta.kernel,
        "rates": [
            {
                "moment": rate.moment.value,
                "runs": rate.runs,
                "dirty": rate.dirty,
                "dirty_interval": wilson(rate.dirty, rate.runs),
                "differing": rate.differing,
                "differing_interval": wilson(rate.differing, rate.runs),
            }
            for rate in series.rates
        ],
        "courses": [
            {
                "pages": pages,
                "redirtied": course.redirtied,
                "written": course.written,
                "kept": course.kept,
                "by": list(course.by),
            }
            for course, pages in sorted(series.courses.items())
        ],
        "runs": [_run(each) for each in series.scenes],
        "shown": series.shown,
        "lost": scene.meta.lost,
        "steps": _steps(scene),
        "verdicts": [
            {
                "objective": name,
                "verdict": verdict.outcome.value,
                "reason": verdict.reason,
                "bounds": verdict.bounds,
                "violations": sum(v.objective == name for v in scene.violations),
                "evidence": list(verdict.evidence),
            }
            for name, verdict in scene.verdicts.items()
        ],
        "violations": [report.violation_to_json(each, scene.meta) for each in scene.violations],
        "orphaned": [report.event_to_json(each, scene.meta) for each in scene.orphaned],
    }


def _run(scene: Scene) -> RunJson:
    assert scene.meta is not None
    return {
        "reproduced": scene.reproduced,
        "violations": len(scene.violations),
        "orphaned": len(scene.orphaned),
        "lost": scene.meta.lost,
        "verdicts": {name: each.outcome.value for name, each in scene.verdicts.items()},
        "broken": [look.moment.value for look in scene.broken],
        "steps": _steps(scene),
    }


def _steps(scene: Scene) -> list[StepJson]:
    start = scene.steps[0].ts_ns
    return [
        {
            "us": (step.ts_ns - start) / 1e3,
            "text": step.text,
            "look": None if step.look is None else _look(step.look),
        }
        for step in scene.steps
    ]


def _look(look: Look) -> LookJson:
    return {
        "moment": look.moment.value,
        "kept": look.kept,
        "pages": [
            {
                "index": page.index,
                "pfn": page.pfn,
                "dirty": page.dirty,
                "writeback": page.writeback,
                "same": page.same,
                "memory": _bytes(page.memory),
                "disk": None if page.disk is None else _bytes(page.disk),
                "image_byte": page.at,
            }
            for page in look.pages
        ],
    }


def _bytes(found: Bytes) -> BytesJson:
    return {"head": found.head.hex(), "whose": found.whose.value}


def wilson(seen: int, runs: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `seen` of `runs` were seen (Wilson, 1927)."""
    share, spread = seen / runs, Z * Z / runs
    middle = share + spread / 2
    half = Z * math.sqrt((share * (1 - share) + spread / 4) / runs)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return max(0.0, round(low, 4)), min(1.0, round(high, 4))


# -- text --------------------------------------------------------------------------------------


def to_text(series: Series) -> RenderableType:
    """What happened, for people."""
    scene = series.scenes[series.shown]
    parts = [_story(scene), Text("")]
    if series.asked > 1:
        parts.insert(0, Text(f"run {series.shown + 1} of {len(series.scenes)}"))
        parts += [_rates(series), *_courses(series), Text("")]
    if series.ended:
        count = len(series.scenes)
        parts.append(Text(f"ended after {count} of {series.asked} runs: {series.ended}"))
    return Group(*parts, Text(conclusion(series), style="bold"))


def _story(scene: Scene) -> RenderableType:
    """One run, step by step, and the events of a page."""
    assert scene.meta is not None
    start = scene.steps[0].ts_ns
    parts: list[RenderableType] = []
    for step in scene.steps:
        parts.append(Text(f"{(step.ts_ns - start) / 1e6:7.1f} ms  {step.text}"))
        parts += [Text(f"{'':12}  {line}") for line in _found(step)]
    if scene.violations:
        file = f"the scratch file on {scene.file_system}"
        parts += [Text(""), report.violation_to_text(scene.violations[0], scene.meta, file)]
    elif scene.orphaned:
        first = scene.orphaned[0]
        rows = [row for row in scene.rows if row.head_pfn == first.head_pfn][-HISTORY:]
        parts += [Text(""), report.events_to_text(rows, scene.meta)]
    for look in scene.broken:
        page = next(page for page in look.pages if not page.kept)
        rows = [row for row in scene.during(look.moment) if covers(row, page.pfn)]
        parts += [Text(f"\npage {page.index}, from the look before until {MOMENTS[look.moment]}:")]
        parts += [report.events_to_text(rows, scene.meta)]
    return Group(*parts)


def _found(step: Step) -> Iterator[str]:
    """What a look has found: page by page where there is something to say, else in one line."""
    look = step.look
    if look is None:
        return
    odd = [page for page in look.pages if page.dirty or page.writeback or not page.same]
    if look.moment in PROMISES and not look.kept:
        yield f"    fsync returned 0, yet {_broken(look)}"
    yield from (f"    {_page(page)}" for page in odd)
    if not odd:
        whose = sorted({page.memory.whose.value for page in look.pages})
        yield f"    all pages clean; memory and disk hold the same, {' and '.join(whose)} bytes"


def _broken(look: Look) -> str:
    words = []
    if look.differing:
        words.append(f"the disk does not have what is in memory of {_list(look.differing)}")
    if look.dirty:
        words.append(f"still dirty: {_list(look.dirty)}")
    return "; ".join(words)


def _list(pages: tuple[int, ...]) -> str:
    return ("pages " if len(pages) > 1 else "page ") + ", ".join(map(str, pages))


def _page(page: Page) -> str:
    """A page in one line."""
    flags = (("dirty", page.dirty), ("writeback", page.writeback))
    state = " ".join(name for name, is_set in flags if is_set) or "clean"
    disk = "nowhere" if page.disk is None else f"{_words(page.disk)}, byte {page.at:,} of the image"
    return f"page {page.index} {state}: memory {_words(page.memory)}, disk {disk}"


def _words(found: Bytes) -> str:
    return f"{found.head.hex()} ({found.whose.value})"


def _rates(series: Series) -> RenderableType:
    """How often a page was dirty, or not on the disk, at each moment."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("when", no_wrap=True)
    for column in ("runs", "with dirty pages", "disk is not memory"):
        table.add_column(column, justify="right", no_wrap=True)
    for rate in series.rates:
        table.add_row(
            MOMENTS[rate.moment],
            str(rate.runs),
            _share(rate.dirty, rate.runs),
            _share(rate.differing, rate.runs),
        )
    return table


def _courses(series: Series) -> Iterator[RenderableType]:
    """What the second fsync did, page by page, and what came of it."""
    for course, pages in sorted(series.courses.items()):
        did = f"{_times(course.redirtied)} made dirty again, {_times(course.written)} written back"
        end = "on the disk" if course.kept else "dirty, or not on the disk"
        yield Text(f"second fsync, {pages} page{'s' * (pages > 1)}: {did}; then {end}")
        yield from (Text(f"    dirty by way of {way}", style="dim") for way in course.by)


def _times(count: int) -> str:
    return {0: "not", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _share(seen: int, runs: int) -> str:
    low, high = wilson(seen, runs)
    return f"{seen} ({100 * low:.0f} to {100 * high:.0f} %)"


def conclusion(series: Series) -> str:
    """The last line."""
    if series.asked == 1:
        return _conclusion(series.scenes[0])
    runs = len(series.scenes)
    words = "control runs, which should hold" if series.control else "runs"
    said = f"{series.hazard} on {series.file_system}: seen in {series.reproduced} of {runs} {words}"
    if series.hazard is not Hazard.truncate:
        said += (
            f"; after an fsync that returned 0, pages dirty or not on the disk in {series.broken}"
        )
    return said


def _conclusion(scene: Scene) -> str:
    if scene.reproduced:
        count = len(scene.orphaned if scene.hazard is Hazard.truncate else scene.violations)
        where = "in the control run, which should hold" if scene.control else scene.file_system
        pages = f"{count} page" + ("s" if count > 1 else "")
        return f"{scene.hazard} on {where}: seen on {pages}: {MEANING[scene.hazard]}"
    if scene.hazard is Hazard.truncate:
        words = "not seen" if scene.control else "not reproduced"
        return f"{scene.hazard} on {scene.file_system}: {words}"
    verdict = "; ".join(f"{name} {each}" for name, each in scene.verdicts.items())
    words = "control" if scene.control else "not reproduced"
    return f"{scene.hazard} on {scene.file_system}, {words}: {verdict}"
