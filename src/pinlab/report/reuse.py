"""`pinlab witness o3`: what was done, what was seen, and what it comes to."""

from __future__ import annotations

from typing import Literal, TypedDict

from rich.console import Group, RenderableType
from rich.text import Text

from pinlab.field.acts.witness.evidence import SENT
from pinlab.field.acts.witness.reuse import Reuses, Run
from pinlab.names import printable
from pinlab.objectives.verdict import Outcome


class MetJson(TypedDict):
    """The new file that has the block: the how many-th, its frame and references, its first bytes
    before and after the device answered, in hex."""

    file: int
    pfn: int
    refcount: int
    before: str
    after: str


class ReuseStepJson(TypedDict):
    """What was done or found, and microseconds since the first step."""

    us: float
    text: str


class ReuseJson(TypedDict):
    """One run. `refcount` is of the page: idle, and while the device had it. `waited`: unlink or
    truncate waited for the device. `met` is null if none of `files` new files got the block."""

    reproduced: bool
    verdict: str
    reason: str
    bounds: str
    block_byte: int
    pfn: int
    refcount: tuple[int, int]
    waited: bool
    files: int
    met: MetJson | None
    events: list[str]
    warnings: list[str]
    steps: list[ReuseStepJson]


class WitnessO3Json(TypedDict):
    """`pinlab witness o3 --json`. `sent` are the first bytes that the device sends, in hex; `kept`
    counts the runs in which O3 holds."""

    schema: Literal["pinlab.witness/1"]
    hazard: Literal["o3"]
    file_system: str
    control: bool
    sent: str
    reproduced: bool
    kept: int
    asked: int
    ended: str
    kernel: str
    runs: list[ReuseJson]


def to_json(series: Reuses) -> WitnessO3Json:
    """What happened, for machines."""
    return {
        "schema": "pinlab.witness/1",
        "hazard": "o3",
        "file_system": series.file_system.value,
        "control": series.control,
        "sent": SENT.hex(),
        "reproduced": bool(series.reproduced),
        "kept": series.kept,
        "asked": series.asked,
        "ended": series.ended,
        "kernel": series.kernel,
        "runs": [_run(each) for each in series.runs],
    }


def _run(run: Run) -> ReuseJson:
    verdict, met = run.verdict, run.met
    return {
        "reproduced": run.reproduced,
        "verdict": verdict.outcome.value,
        "reason": verdict.reason,
        "bounds": verdict.bounds,
        "block_byte": run.block,
        "pfn": run.pfn,
        "refcount": (run.idle, run.pinned),
        "waited": run.waited,
        "files": run.files,
        "met": None
        if met is None
        else {
            "file": met.number,
            "pfn": met.pfn,
            "refcount": met.refcount,
            "before": met.before.hex(),
            "after": met.after.hex(),
        },
        "events": [each.value for each in run.events],
        "warnings": run.warnings,
        "steps": [{"us": (at - run.steps[0][0]) / 1e3, "text": text} for at, text in run.steps],
    }


def to_text(series: Reuses) -> RenderableType:
    """What happened, for people: the run that shows most, and the sum."""
    shown = next((run for run in series.runs if run.reproduced), series.runs[0])
    start = shown.steps[0][0]
    parts = [Text(f"{(at - start) / 1e6:7.1f} ms  {text}") for at, text in shown.steps]
    if shown.warnings:
        parts += [Text(""), Text("The kernel says:")]
        parts += [Text(f"    {printable(each)}") for each in shown.warnings[:2]]
    if series.ended:
        parts.append(Text(f"ended after {len(series.runs)} of {series.asked} runs: {series.ended}"))
    return Group(*parts, Text(""), Text(conclusion(series), style="bold"))


def conclusion(series: Reuses) -> str:
    """The last line."""
    where = f"o3 on {series.file_system} with FS-DAX, Linux {series.kernel}"
    if series.asked > 1:
        words = "control runs, which should hold" if series.control else "runs"
        runs = len(series.runs)
        return f"{where}: seen in {series.reproduced} of {runs} {words}; kept in {series.kept}"
    (run,) = series.runs
    if run.reproduced:
        return f"{where}: seen: a block got a new owner while a device stored into it"
    if run.verdict.outcome is Outcome.HOLDS:
        return f"{where}: kept: {'truncate' if series.control else 'unlink'} waited for the device"
    return f"{where}: not reproduced: {run.verdict.reason}"
