"""Whole answers that were found before: of `check` under each memory model, of the whole sweep.

A page shows what is known of a design without finding it out; what nobody has asked is not known.
Each is kept under a digest of the program and of the code that asked, as explorations are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from pinlab.lab import build, compiled, ledger
from pinlab.lab.design import Design
from pinlab.lab.results import Broken, Row, Swept, Wanted
from pinlab.objectives.verdict import Outcome, Verdict


def place(design: Design, memory_model: str) -> bytes | None:
    """Where the rows of a check are kept; None if they are not. It needs the design's program."""
    return None if _brings_questions(design) else _key(design, f"check {memory_model}")


def keep_rows(at: bytes | None, rows: Iterable[Row]) -> None:
    """All rows of a check that was not stopped, at its place."""
    if at is not None:
        _put(at, json.dumps([asdict(row) for row in rows]).encode())


def rows(design: Design, memory_model: str) -> tuple[Row, ...]:
    """What a check found under a memory model; empty if nobody asked."""
    kept = ledger.store().get(_key(design, f"check {memory_model}"))
    said = [] if kept is None else json.loads(kept)
    return tuple(Row(**{**row, "verdict": _verdict(row["verdict"])}) for row in said)


def keep_swept(design: Design, found: Swept) -> None:
    """The sweep of all combinations that are asked by default, if it was not stopped."""
    if _brings_questions(design):
        return
    said = {**asdict(found), "left_out": sorted(found.left_out), "unsure": sorted(found.unsure)}
    _put(_key(design, f"sweep {Wanted()}"), json.dumps(said).encode())


def swept(design: Design) -> Swept | None:
    """What the whole sweep found; None if nobody has swept this design."""
    kept = ledger.store().get(_key(design, f"sweep {Wanted()}"))
    if kept is None:
        return None
    said = json.loads(kept)
    broken = [Broken(**{**it, "operations": tuple(it["operations"])}) for it in said["broken"]]
    return Swept(
        **{
            **said,
            "broken": tuple(broken),
            "objectives": tuple(said["objectives"]),
            "cut_off": tuple(said["cut_off"]),
            "left_out": frozenset(said["left_out"]),
            "unsure": frozenset(said["unsure"]),
        }
    )


def _put(key: bytes, written: bytes) -> None:
    """Kept if it is not: to look is a hundred times as fast as to write."""
    if ledger.store().get(key) != written:
        ledger.store().put(key, written)


def _brings_questions(design: Design) -> bool:
    """Whether it has scenarios or objectives of its own, of which the key says nothing."""
    return bool(design.scenarios or design.objectives)


def _verdict(said: dict[str, object]) -> Verdict:
    evidence = said["evidence"]
    assert isinstance(evidence, list)
    return Verdict(
        Outcome(str(said["outcome"])),
        str(said["bounds"]),
        said["steps"] if isinstance(said["steps"], int) else None,
        tuple(evidence),
        str(said["reason"]),
    )


def _key(design: Design, what: str) -> bytes:
    parts = (
        ledger.engine(),
        compiled.package(),
        ledger.digest(build.program(design)),
        design.name,
        what,
    )
    return hashlib.sha256("\0".join(("whole", *parts)).encode()).digest()
