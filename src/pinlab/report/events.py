"""`pinlab record`, `judge` and `watch`: verdicts on a running kernel, for people and machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab import objectives
from pinlab.field.events import names
from pinlab.field.events.monitor import Monitor, Violation
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.stream import Cost
from pinlab.field.holders.claim import Claim
from pinlab.names import printable
from pinlab.objectives.verdict import Outcome, Verdict
from pinlab.report.who_schema import OwnerJson, owners
from pinlab.report.who_table import processes

COLOURS = {Outcome.HOLDS: "green", Outcome.VIOLATED: "bold red"}


class EventJson(TypedDict):
    """One event of a witness, and the folio at that instant."""

    seq: int
    ts_ns: int
    event: str
    source: str
    pfn: int
    refcount: int
    pincount: int | None
    flags: list[str]
    pid: int
    command: str
    op: str | None
    io: int | None
    device: str | None
    stack: list[str]


class HolderJson(TypedDict):
    """Who held the page when it was told: a walker's kind and detail, and the processes."""

    kind: str
    detail: str
    owners: list[OwnerJson]


class ViolationJson(TypedDict):
    """One violation, or what could not be decided: then `doubt` says why.

    `file` is null if nobody knows a name any more; `held_by` is empty if the page was let go by
    the time it was looked at, or no walker knows its holder.
    """

    objective: str
    doubt: str
    seq: int
    ts_ns: int
    file_device: str | None
    inode: int | None
    file: str | None
    index: int
    pid: int
    command: str
    device: str | None
    held_by: list[HolderJson]
    witness: list[EventJson]


class VerdictJson(TypedDict):
    """The verdict on one objective. `evidence` are numbers of rows."""

    objective: str
    verdict: str
    reason: str
    bounds: str
    violations: int
    evidence: list[int]


class JudgeJson(TypedDict):
    """`pinlab judge --json`, and the end of `pinlab watch --json`."""

    schema: Literal["pinlab.judge/1"]
    verdict: str
    kernel: str
    hooks: list[str]
    failed: list[str]
    lost: int
    note: str
    verdicts: list[VerdictJson]
    violations: list[ViolationJson]


class CostJson(TypedDict):
    """What watching took. `kernel_*` is null where the kernel does not measure its programs.

    `sustained_per_second` are the records that this process keeps up with; null: too few to say.
    """

    records: int
    seconds: float
    microseconds_per_record: float
    sustained_per_second: int | None
    kernel_runs: int
    kernel_microseconds_per_run: float | None


class RecordJson(CostJson):
    """`pinlab record --json`."""

    schema: Literal["pinlab.record/1"]
    file: str
    rows: int
    lost: int
    hooks: list[str]
    failed: list[str]
    note: str


def flag_names(flags: int, bits: Mapping[str, int]) -> list[str]:
    """The flags of a folio that say something about it here."""
    wanted = ("locked", "dirty", "writeback", "uptodate", "private")
    return [name for name in wanted if name in bits and flags >> bits[name] & 1]


def event_to_json(row: Row, meta: Meta) -> EventJson:
    """A row of a witness."""
    known = row.stack_id is not None and row.stack_id < len(meta.stacks)
    return {
        "seq": row.seq,
        "ts_ns": row.ts_ns,
        "event": row.kind.value,
        "source": row.src,
        "pfn": row.pfn,
        "refcount": row.refcount,
        "pincount": row.pincount,
        "flags": flag_names(row.flags, meta.flag_bits),
        "pid": row.pid,
        "command": row.comm,
        "op": row.op,
        "io": row.io_id,
        "device": None if row.io_dev is None else names.numbers(row.io_dev),
        "stack": list(meta.stacks[row.stack_id]) if known and row.stack_id is not None else [],
    }


def violation_to_json(
    violation: Violation, meta: Meta, file: str | None = None, held: Sequence[Claim] = ()
) -> ViolationJson:
    """A violation with its witness."""
    row = violation.row
    culprit = holder(violation)
    dev = None if culprit.io_dev is None else names.numbers(culprit.io_dev)
    return {
        "objective": violation.objective,
        "doubt": violation.doubt,
        "seq": row.seq,
        "ts_ns": row.ts_ns,
        "file_device": None if row.dev is None else names.numbers(row.dev),
        "inode": row.ino,
        "file": file,
        "index": row.index,
        "pid": culprit.pid,
        "command": culprit.comm,
        "device": dev,
        "held_by": [
            {"kind": each.kind, "detail": each.detail, "owners": owners(each)} for each in held
        ],
        "witness": [event_to_json(each, meta) for each in violation.witness],
    }


def holder(violation: Violation) -> Row:
    """The row of whoever did it: of O1 who queued the READ, else the violating event itself."""
    io = violation.row.io_id
    if io is not None:
        for row in violation.witness:
            if row.io_id == io:
                return row
    return violation.row


def verdicts_to_json(monitor: Monitor, meta: Meta) -> JudgeJson:
    """All verdicts."""
    verdicts = monitor.verdicts(meta)
    return {
        "schema": "pinlab.judge/1",
        "verdict": worst_word(verdicts),
        "kernel": meta.kernel,
        "hooks": list(meta.attached),
        "failed": list(meta.failed),
        "lost": meta.lost,
        "note": meta.note,
        "verdicts": [
            {
                "objective": name,
                "verdict": verdict.outcome.value,
                "reason": verdict.reason,
                "bounds": verdict.bounds,
                "violations": monitor.tally[name].violations,
                "evidence": list(verdict.evidence),
            }
            for name, verdict in verdicts.items()
        ],
        "violations": [violation_to_json(each, meta) for each in monitor.violations],
    }


def worst_word(verdicts: Mapping[str, Verdict]) -> str:
    """The worst outcome in one word."""
    found = {verdict.outcome for verdict in verdicts.values()}
    for outcome in (Outcome.VIOLATED, Outcome.INCONCLUSIVE, Outcome.UNKNOWN):
        if outcome in found:
            return outcome.value
    return Outcome.HOLDS.value


def verdicts_to_text(monitor: Monitor, meta: Meta) -> RenderableType:
    """The verdicts, one line each, and what they rest on."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("objective", "verdict", "violations", "of"):
        table.add_column(column, no_wrap=column != "of")
    known = objectives.load()
    claims = []
    meta = meta.by_letters()
    for name, verdict in monitor.verdicts(meta).items():
        word = Text(verdict.outcome.value, style=COLOURS.get(verdict.outcome, "yellow"))
        table.add_row(name, word, f"{monitor.tally[name].violations:,}", verdict.bounds)
        claims.append(f"{name}: {known[name].claim}")
        if verdict.outcome is Outcome.INCONCLUSIVE:
            claims.append(f"    inconclusive: {printable(verdict.reason)}")
    lines = [*claims, f"watched: {', '.join(meta.attached)}"]
    lines += [f"not watched: {each}" for each in meta.failed]
    if meta.note:
        lines.append(meta.note)
    return Group(table, Text("\n".join(lines)))


def violation_to_text(
    violation: Violation, meta: Meta, file: str | None = None, held: Sequence[Claim] = ()
) -> RenderableType:
    """A violation as a person reads it, event by event."""
    row, culprit = violation.row, holder(violation)
    where = (file and printable(file)) or (
        "a file that has gone"
        if row.ino is None or row.dev is None
        else f"inode {row.ino} on {names.device(row.dev)}"
    )
    by = f"{printable(culprit.comm)} (pid {culprit.pid})"
    through = f", device {names.device(culprit.io_dev)}" if culprit.io_dev is not None else ""
    word, style = ("undecided", "yellow") if violation.doubt else ("violated", "bold red")
    lines = [Text(f"{violation.objective} {word}: {where}, page {row.index}, by {by}{through}")]
    lines[0].stylize(style)
    if violation.doubt:
        lines.append(Text(f"    {printable(violation.doubt)}"))
    for claim in held:
        by = f"{claim.kind}: {claim.detail}, {processes(claim.owners)}"
        lines.append(Text(f"    held now by {printable(by)}"))
    return Group(*lines, events_to_text(violation.witness, meta))


def events_to_text(rows: Sequence[Row], meta: Meta) -> RenderableType:
    """Events of one folio, one line each, with the counts at that instant."""
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    rows, meta = [row.by_letters() for row in rows], meta.by_letters()
    start = rows[0].ts_ns if rows else 0
    for row in rows:
        counts = f"refs {row.refcount}"
        if row.pincount is not None:
            counts += f" pins {row.pincount}"
        io = f"{row.op} {row.io_id}" if row.op and row.io_id is not None else ""
        flags = "|".join(flag_names(row.flags, meta.flag_bits))
        table.add_row(
            f"{(row.ts_ns - start) / 1e3:+,.1f} us",
            row.kind.value + (" (inferred)" if row.src == "inferred" else ""),
            io,
            counts,
            flags,
            f"{row.comm} ({row.pid})",
        )
    last = rows[-1] if rows else None
    if last is not None and last.stack_id is not None and last.stack_id < len(meta.stacks):
        stack = " < ".join(meta.stacks[last.stack_id][:8])
        return Group(table, Text(f"    by way of {stack}", style="dim"))
    return table


def record_to_json(file: str, rows: int, cost: Cost, meta: Meta) -> RecordJson:
    """What a recording came to."""
    return {
        "schema": "pinlab.record/1",
        "file": file,
        "rows": rows,
        "lost": meta.lost,
        "hooks": list(meta.attached),
        "failed": list(meta.failed),
        "note": meta.note,
        **cost_to_json(cost),
    }


def cost_to_json(cost: Cost) -> CostJson:
    """What watching took."""
    kernel, sustained = cost.kernel_microseconds, cost.sustained
    return {
        "records": cost.records,
        "seconds": round(cost.seconds, 3),
        "microseconds_per_record": round(cost.microseconds, 2),
        "sustained_per_second": None if sustained is None else int(sustained),
        "kernel_runs": cost.runs,
        "kernel_microseconds_per_run": None if kernel is None else round(kernel, 3),
    }


def cost_to_text(cost: Cost) -> str:
    """What watching took, in one line."""
    rate = cost.records / cost.seconds if cost.seconds else 0.0
    line = f"{cost.records:,} records in {cost.seconds:.1f} s ({rate:,.0f}/s), {cost.lost:,} lost"
    if cost.records:
        line += f"; {cost.microseconds:.1f} us of ours for each"
    if cost.sustained is not None:
        line += f" (keeps up with {cost.sustained:,.0f}/s)"
    if cost.kernel_microseconds is not None:
        line += f"; {cost.kernel_microseconds:.2f} us of the kernel each of {cost.runs:,} times"
    return line
