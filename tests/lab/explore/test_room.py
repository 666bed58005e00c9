"""Memory is limited by default, to what the machine and its cgroups have to spare."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinlab.lab import check, face
from pinlab.lab.explore import room
from pinlab.lab.explore.result import Limits
from pinlab.objectives.verdict import Outcome

GIB = 2**30


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nHugetlb: 0 kB\n"}

V2 = {
    "proc/self/cgroup": "0::/user/shell\n",
    "sys/fs/cgroup/user/shell/memory.max": "max\n",
    "sys/fs/cgroup/user/shell/memory.current": "1\n",
    "sys/fs/cgroup/user/shell/memory.stat": "anon 1\ninactive_file 0\n",
    "sys/fs/cgroup/user/memory.max": f"{4 * GIB}\n",
    "sys/fs/cgroup/user/memory.current": f"{3 * GIB}\n",
    "sys/fs/cgroup/user/memory.stat": f"anon 1\ninactive_file {GIB}\n",
}

V1 = {
    "proc/self/cgroup": "5:cpu:/x\n4:memory:/box\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}\n",
}


@pytest.mark.parametrize(
    ("files", "gib"),
    [
        (MEMINFO, 8),
        (MEMINFO | V2, 2),  # by the group above ours
        (MEMINFO | V1, 3),  # our own group is mounted as the top
        (MEMINFO | {"proc/self/cgroup": "0::/gone\n"}, 8),
    ],
)
def test_what_is_available(tmp_path: Path, files: dict[str, str], gib: int) -> None:
    assert room.available(system(tmp_path, files)) == gib * GIB


@pytest.mark.parametrize("files", [{}, {"proc/meminfo": "MemTotal: 5 kB\n"}])
def test_without_proc_the_machine_is_asked(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are made up: those of a virtual machine may change meanwhile."""
    figures = {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", figures.__getitem__)
    assert room.available(system(tmp_path, files)) == 4 * GIB


def test_a_part_is_left_and_the_rest_is_shared(tmp_path: Path) -> None:
    root = system(tmp_path, MEMINFO)
    assert room.bounded(None, root=root) == Limits(memory_bytes=7 * GIB)
    assert room.bounded(Limits(5), 7, root) == Limits(5, memory_bytes=GIB)
    assert room.bounded(Limits(memory_bytes=1), 7, root) == Limits(memory_bytes=1)
    assert room.bounded(None, 10**6, root).memory_bytes == room.LEAST


def test_this_machine() -> None:
    limit = room.bounded(None).memory_bytes
    assert limit is not None
    assert room.LEAST <= limit < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("engine", ["native", "interpreter"])
def test_rows_before_the_limit_are_kept(engine: str) -> None:
    """anon-fork has a thousand states; store-fsync with its 15 thousand does not fit."""
    design = face.load_design("untracked")
    face.probe(design)
    size = {"native": 2**18, "interpreter": 2**24}[engine]
    limits = Limits(memory_bytes=size)
    result = check.check(design, ("anon-fork", "store-fsync"), limits=limits, engine=engine)
    first = [row for row in result.rows if row.scenario == "anon-fork"]
    assert {row.verdict.outcome for row in first} == {Outcome.HOLDS, Outcome.VIOLATED}
    words = {"native": "256 KiB", "interpreter": "16 MiB"}[engine]
    reasons = {row.reason for row in result.rows if row.verdict.outcome is Outcome.UNKNOWN}
    assert reasons == {f"stopped: memory limit ({words})"}


def test_every_exploration_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def bounded(limits: Limits | None, shares: int = 1) -> Limits:
        asked.append(shares)
        return Limits(memory_bytes=1 << 18)

    monkeypatch.setattr(room, "bounded", bounded)
    one = check.check(face.load_design("untracked"), ("store-fsync",))
    assert "stopped: memory limit (256 KiB)" in {row.reason for row in one.rows}
    two = face.compare(("untracked", "skip"), jobs=2)
    assert asked == [1, 2]  # the workers of a fork append to their own copy
    assert any("memory limit" in row.reason for row in two.rows)
