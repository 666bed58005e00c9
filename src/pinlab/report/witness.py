"""`pinlab witness`: what was done, what was seen, and what it comes to."""

from __future__ import annotations

from typing import Literal, TypedDict

from rich.console import Group, RenderableType
from rich.text import Text

from pinlab.field.events.monitor import HISTORY
from pinlab.field.witness.scene import Hazard, Scene
from pinlab.report import events as report
from pinlab.report.events import EventJson, VerdictJson, ViolationJson


class StepJson(TypedDict):
    """What was done or found, and microseconds since the first step."""

    us: float
    text: str


class WitnessJson(TypedDict):
    """`pinlab witness --json`. `orphaned` are pages that lost their file while pinned."""

    schema: Literal["pinlab.witness/1"]
    hazard: str
    file_system: str
    control: bool
    reproduced: bool
    lost: int
    kernel: str
    steps: list[StepJson]
    verdicts: list[VerdictJson]
    violations: list[ViolationJson]
    orphaned: list[EventJson]


MEANING = {
    Hazard.o1: "a page was written back while a device could store into it",
    Hazard.o2: "a clean page was made dirty, and the file system had not been told",
    Hazard.truncate: "a page lost its file while a device could store into it",
}


def to_json(scene: Scene) -> WitnessJson:
    """What happened, for machines."""
    assert scene.meta is not None
    start = scene.steps[0].ts_ns
    return {
        "schema": "pinlab.witness/1",
        "hazard": scene.hazard.value,
        "file_system": scene.file_system.value,
        "control": scene.control,
        "reproduced": scene.reproduced,
        "lost": scene.meta.lost,
        "kernel": scene.meta.kernel,
        "steps": [
            {"us": (step.ts_ns - start) / 1e3, "text": step.text.strip()} for step in scene.steps
        ],
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


def to_text(scene: Scene) -> RenderableType:
    """What happened, for people."""
    assert scene.meta is not None
    start = scene.steps[0].ts_ns
    parts: list[RenderableType] = []
    for step in scene.steps:
        when = "" if step.text.startswith(" ") else f"{(step.ts_ns - start) / 1e6:.1f} ms"
        parts.append(Text(f"{when:>9}  {step.text}"))
    if scene.violations:
        file = f"the scratch file on {scene.file_system}"
        parts += [Text(""), report.violation_to_text(scene.violations[0], scene.meta, file)]
    elif scene.orphaned:
        first = scene.orphaned[0]
        rows = [row for row in scene.rows if row.head_pfn == first.head_pfn][-HISTORY:]
        parts += [Text(""), report.events_to_text(rows, scene.meta)]
    return Group(*parts, Text(""), Text(conclusion(scene), style="bold"))


def conclusion(scene: Scene) -> str:
    """The last line."""
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
