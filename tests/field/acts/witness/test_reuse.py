"""What a run of o3 comes to, whatever happened in it; and where it is not played."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from pinlab.cli._app import run as pinlab
from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pmem import pmem
from pinlab.field.acts.witness.reuse import Met, Reuses, Run
from pinlab.field.errors import FieldError
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from pinlab.report import reuse as report

MET = Met(1, 70, 1025, b"\1" * 8, b"\x5a" * 8)
PINNED = [Event.PIN]
FREED = [Event.PIN, Event.BLOCK_FREE]
REUSED = [*FREED, Event.BLOCK_REUSE, Event.DEV_STORE, Event.UNPIN]


def run(events: list[Event], *, waited: bool = False, met: Met | None = None) -> Run:
    return Run(
        False, [(1_000_000, "a file"), (3_500_000, "unlink")], events, waited=waited, met=met
    )


@pytest.mark.parametrize(
    ("played", "outcome"),
    [
        (run(REUSED, met=MET), Outcome.VIOLATED),
        (run(PINNED, waited=True), Outcome.HOLDS),
        (run(FREED), Outcome.INCONCLUSIVE),
        (run(PINNED), Outcome.INCONCLUSIVE),
        (run([*FREED, Event.UNPIN, Event.BLOCK_REUSE]), Outcome.INCONCLUSIVE),
        (run([Event.PIN, Event.BLOCK_REUSE], waited=True, met=MET), Outcome.VIOLATED),
    ],
    ids=["reused", "waited", "not met", "not seen to wait", "reused later", "waited in vain"],
)
def test_it_holds_only_if_somebody_waited(played: Run, outcome: Outcome) -> None:
    assert played.verdict.outcome is outcome
    assert played.reproduced == (outcome is Outcome.VIOLATED)


def test_it_is_told_as_text_and_as_json() -> None:
    series = Reuses(FileSystem.xfs, False, 2, "6.12", [run(PINNED), run(REUSED, met=MET)])
    said = json.loads(json.dumps(report.to_json(series)))
    assert (said["schema"], said["hazard"], said["reproduced"]) == ("pinlab.witness/1", "o3", True)
    assert [each["verdict"] for each in said["runs"]] == ["inconclusive", "violated"]
    assert said["runs"][1]["met"]["after"] == said["sent"]
    assert said["runs"][0]["steps"][1] == {"us": 2500.0, "text": "unlink"}
    console = Console(file=io.StringIO(), width=200)
    console.print(report.to_text(series))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2.5 ms  unlink" in text and "seen in 1 of 2 runs; kept in 0" in text


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["o3"], 2, "o3 needs persistent memory: --kernel VMLINUZ"),
        (["o1", "--pmem", "/dev/pmem0"], 2, "--pmem goes with o3"),
        (["o1", "--pmem", "/dev/pmem0", "--kernel", "/nowhere"], 2, "--pmem goes with o3"),
        (["o1", "--modules", "/lib/modules"], 2, "--modules goes with --kernel"),
        (["o3", "--pmem", "/dev/null"], 3, "/dev/null is no persistent memory with DAX"),
        (["o3", "--kernel", "/nowhere"], 3, "/nowhere cannot be read"),
    ],
)
def test_where_it_is_not_played_is_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, sentence: str
) -> None:
    assert pinlab(["witness", *words]) == status
    said = capsys.readouterr()
    assert sentence in said.err and not said.out


def test_a_file_system_without_dax_is_refused() -> None:
    with pytest.raises(FieldError, match="btrfs has no FS-DAX"), pmem(FileSystem.btrfs, Path("/x")):
        pass
