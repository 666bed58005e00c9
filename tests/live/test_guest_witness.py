"""The watch inside stock kernels of other generations: hazards made and judged in a guest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.probes.hooks import FUNCTIONS, TRACEPOINTS, Hook
from pinlab.guest import machine
from pinlab.guest.kernel import GuestError
from pinlab.guest.kernel import kernel as kernel_of
from pinlab.guest.machine import Done, Guest, boot
from pinlab.guest.root import tool
from tests.live import guest

pytestmark = [pytest.mark.live, pytest.mark.slow]

EXPECTED: dict[tuple[str, ...], tuple[int, int]] = {
    ("o1",): (1, 3),
    ("o1", "--control"): (0, 3),
    ("o2",): (1, 1),
    ("o2", "--control"): (0, 0),
    ("truncate",): (1, 3),
    ("truncate", "--control"): (0, 3),
}
"""The exit status where direct I/O pins (Linux 6.5), and where it takes references.

There nobody sees that a device owns a page; that the device made it dirty is seen all the same.
"""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("doctor", "--json"),
    ("census", "--json"),
    ("watch", "--json", "--for", "1"),
    ("record", "--json", "--for", "1", "--all", "-o", "/dev/shm/tape"),
    ("judge", "/dev/shm/tape"),
)
BLOCKS: tuple[tuple[str, ...], ...] = (
    ("witness", "o3", "--pmem", "/dev/pmem0", "--json"),
    ("witness", "o3", "--pmem", "/dev/pmem0", "--json", "--control", "--fs", "xfs"),
)
VERDICTS = {0: "holds", 1: "violated", 3: "inconclusive"}
MINUTES = 5 * 60.0


@pytest.fixture
def alone() -> None:
    """What a guest pins is its own: other live tests may go on."""


@contextmanager
def booted(kernel: Path) -> Iterator[Guest]:
    """The kernel in a guest, or skip."""
    if shutil.which("qemu-system-x86_64") is None and "PINLAB_QEMU" not in os.environ:
        pytest.skip("there is no QEMU")
    with boot(kernel_of(kernel)) as running:
        assert not running.failed
        yield running


def assert_counts_fs_dax(running: Guest) -> None:
    """By the census to the frame, with their file; by a walker to the process."""
    holds = ("hold", "fuse", "--memory", "dax", "--pmem", "/dev/pmem0", "--size", "40K", "--json")
    held = json.loads(running.begin(holds, MINUTES).out)
    census = json.loads(running.run(["census", "--json"], MINUTES).out)
    who = running.run(["who", "--all", "--json"], MINUTES)
    assert running.stop(MINUTES).status == 0
    assert census["totals"]["false_positives"] == 0
    (hold,) = held["holds"]
    claims = [each for each in json.loads(who.out)["claims"] if each["kind"] == "fuse"]
    assert [each["address"] for each in claims] == [hold["address"]] and who.status == 0
    frames = {pfn + n for pfn, count, _ in hold["extents"] for n in range(count)}
    assert {each["pfn"] for each in census["folios"]} == frames
    for each in census["folios"]:
        assert (each["pins"], each["refcount"], each["unexplained"]) == (1, 1025, 0)
        assert (each["kind"], each["file"]["file_system"]) == ("file", "ext4")


@pytest.mark.parametrize("kernel", guest.parameters()[:1])
def test_a_kernel_that_panics_is_told(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no root to go on from."""
    monkeypatch.setattr(machine, "_PARAMETERS", "console=ttyS0 panic=-1 quiet rdinit=/nowhere")
    with (
        pytest.raises(GuestError, match=r"the guest has ended; its console .*[Pp]anic"),
        booted(kernel),
    ):
        pytest.fail("it came up")


def pins(kernel: Path) -> bool:
    """Whether direct I/O of this kernel pins."""
    major, minor = kernel.name.removeprefix("vmlinuz-").split(".")[:2]
    return (int(major), int(minor)) >= (6, 5)


def hazards(kernel: Path) -> list[tuple[FileSystem, tuple[str, ...]]]:
    """All of them on ext4, and on the others what differs with the file system. Where pins are
    not seen at all, each hazard once."""
    kinds = [kind for kind in FileSystem if tool(f"mkfs.{kind}")]
    if not pins(kernel):
        return [(FileSystem.ext4, words) for words in EXPECTED if "--control" not in words]
    return [
        (kind, words)
        for kind in kinds
        for words in EXPECTED
        if kind is FileSystem.ext4 or words == ("o1",)
    ]


@pytest.mark.parametrize("kernel", guest.parameters())
def test_the_watch(kernel: Path) -> None:
    """In one guest, as most of the time goes into booting one."""
    scenes = hazards(kernel)
    witness = [("witness", *words, "--fs", kind, "--json") for kind, words in scenes]
    with booted(kernel) as running:
        done = [running.run(words, MINUTES) for words in (*COMMANDS, *BLOCKS, *witness)]
        if pins(kernel):
            assert_counts_fs_dax(running)
    assert_works(kernel, done[: len(COMMANDS)])
    assert_reuse(kernel, *done[len(COMMANDS) : -len(scenes)])
    for (kind, words), each in zip(scenes, done[-len(scenes) :], strict=True):
        status = EXPECTED[words][not pins(kernel)]
        assert each.status == status, (kind, words, each)
        said = json.loads(each.out)
        assert (said["kernel"], said["lost"]) == (kernel.name.removeprefix("vmlinuz-"), 0)
        assert said["reproduced"] == (status == 1)
        assert_judged(words, said, status, pins(kernel))


def assert_reuse(kernel: Path, found: Done, control: Done) -> None:
    """O3: until 6.15 nobody waits on unlink, and the new file has what the device stored."""
    major, minor = kernel.name.removeprefix("vmlinuz-").split(".")[:2]
    waits = (int(major), int(minor)) >= (6, 15)
    assert (found.status, control.status) == (0 if waits else 1, 0), (found, control)
    (one,), (other,) = json.loads(found.out)["runs"], json.loads(control.out)["runs"]
    assert one["waited"] == waits and other["waited"] and other["met"] is None
    idle, pinned = one["refcount"]
    assert (idle, pinned - idle) == (1, 1024 if pins(kernel) else 1)
    if not waits:
        sent = json.loads(found.out)["sent"]
        assert one["met"]["pfn"] == one["pfn"] and one["met"]["refcount"] == pinned
        assert one["met"]["before"] != sent == one["met"]["after"]
        assert one["events"][-3:] == ["block_reuse", "dev_store", "unpin"]


def assert_judged(words: tuple[str, ...], said: dict[str, Any], status: int, pinned: bool) -> None:
    """The verdict is that of the status, and says why nothing is known where nothing is."""
    verdicts = {each["objective"]: each for each in said["verdicts"]}
    if words[0] == "truncate":
        assert bool(said["orphaned"]) == (status == 1)
    else:
        assert verdicts[words[0].upper()]["verdict"] == VERDICTS[status]
    for each in verdicts.values():
        # Stock kernels let us watch functions, and verdicts say so.
        assert "raw tracepoints and fentry (" in each["bounds"]
        assert ("try_grab_folio" in each["bounds"]) == pinned
    if "O1" in verdicts and not pinned:
        assert verdicts["O1"]["verdict"] == "inconclusive"
        assert "references, not pins" in verdicts["O1"]["reason"]


def assert_works(kernel: Path, done: Sequence[Done]) -> None:
    """What each of COMMANDS said."""
    doctor, census, watch, record, judge = done
    assert [each.status for each in (doctor, census, watch, record, judge)] == [0, 0, 3, 0, 3]
    findings = {(each["kind"], each["name"]): each for each in json.loads(doctor.out)["findings"]}
    for name in ("bio", "io_uring", "process_vm"):
        assert findings["holder", name]["works"] is (
            True if pins(kernel) else name != "bio" or None
        )
    assert findings["reader", "live (BPF)"]["works"]
    assert json.loads(census.out)["totals"]["pins"] == 0
    functions = {each.name for each in FUNCTIONS if pins(kernel) or each.hook is Hook.CLEAN}
    for each in (watch, record):
        hooks = json.loads(each.out[each.out.index("{") :])["hooks"]
        assert {name for name, _ in TRACEPOINTS.values()} <= set(hooks), each
        assert functions <= set(hooks), each
