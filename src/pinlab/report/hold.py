"""`pinlab hold`: what is held, and what `--sweep` cleared away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.field.acts.pinning.kind import Held
from pinlab.field.acts.pinning.runtime import Swept
from pinlab.report import units


class HeldJson(TypedDict):
    """One thing that holds. An extent is [first frame, frames, count]."""

    fd: int | None
    address: int
    length: int
    counted_as: str
    accounted_in: list[str]
    frames: int
    count: int
    extents: list[tuple[int, int, int]]


class HoldJson(TypedDict):
    """`pinlab hold KIND --json`."""

    schema: Literal["pinlab.hold/1"]
    kind: str
    memory: str
    pid: int
    command: str
    holds: list[HeldJson]


class SweepJson(TypedDict):
    """`pinlab hold --sweep --json`."""

    schema: Literal["pinlab.hold-sweep/1"]
    stale: int
    running: int
    servers: list[int]
    loops: list[str]


def to_json(holds: Sequence[Held]) -> HoldJson:
    """What is held as "pinlab.hold/1"; there is at least one."""
    first = holds[0]
    return {
        "schema": "pinlab.hold/1",
        "kind": first.kind,
        "memory": first.memory.value,
        "pid": first.pid,
        "command": first.command,
        "holds": [
            {
                "fd": each.fd,
                "address": each.address,
                "length": each.length,
                "counted_as": each.counted_as,
                "accounted_in": [place.value for place in each.accounted_in],
                "frames": each.extents.frames,
                "count": each.extents.total,
                "extents": [(extent.pfn, extent.pages, extent.times) for extent in each.extents],
            }
            for each in holds
        ],
    }


def to_table(holds: Sequence[Held]) -> RenderableType:
    """What is held, one line each."""
    first = holds[0]
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("address range", "size", "fd", "frames", "count", "first frame", "accounted in"):
        table.add_column(name, no_wrap=True)
    for each in holds:
        frames = next(iter(each.extents), None)
        table.add_row(
            units.address_range(each.address, each.length),
            units.size(each.length),
            "-" if each.fd is None else str(each.fd),
            f"{each.extents.frames:,}" if frames else "?",
            f"{each.extents.total:,} {each.counted_as}" if frames else "?",
            f"{frames.pfn:#x}" if frames else "?",
            ", ".join(each.accounted_in) or "nowhere",
        )
    title = f"{first.kind} on {first.memory} memory, held by {first.command} (pid {first.pid})"
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    if not all(len(each.extents) for each in holds):
        parts.append(Text("Frames need CAP_SYS_ADMIN to be seen.", style="yellow"))
    if first.counted_as == "references":
        parts.append(
            Text(
                "These are plain references, no pins: `pinlab census --references` tells of them, "
                f"`pinlab who {first.pid}` names them."
            )
        )
    return Group(*parts)


def sweep_to_json(swept: Swept) -> SweepJson:
    """What was cleared away as "pinlab.hold-sweep/1"."""
    return {
        "schema": "pinlab.hold-sweep/1",
        "stale": swept.stale,
        "running": swept.running,
        "servers": list(swept.servers),
        "loops": list(swept.loops),
    }


def sweep_to_text(swept: Swept) -> RenderableType:
    """What was cleared away, in a few lines."""
    lines = [f"{swept.stale} killed and {swept.running} running holds were found."]
    lines += [f"Killed the server {pid}." for pid in swept.servers]
    lines += [f"Detached {device}." for device in swept.loops]
    if not swept.servers and not swept.loops:
        lines.append("Nothing was left to clear away.")
    return Text("\n".join(lines))
