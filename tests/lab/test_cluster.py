"""A sweep on a Ray cluster says what it says here, whatever becomes of the nodes.

The cluster is two nodes on this machine, which listen on 127.0.0.1 alone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pinlab.errors import UsageError
from pinlab.lab import cluster, face, sent, sweep
from pinlab.lab.results import Wanted

os.environ.update(cluster.QUIET | cluster.LOOPBACK)  # read when Ray is imported
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'pinlab[ray]'")

joins = pytest.mark.exhaustive
"""Not in CI: Ray ends a process whose cluster is lost, which is pytest where pytest has joined."""

MARK = "PINLAB_TEST_CLUSTER"
"""In the environment of all that a test starts, and of nothing else."""

SMALL = ("--with", "fsync", "--from", "dirty+buffers rw")

NODE: dict[str, Any] = {
    "num_cpus": 1,
    "node_ip_address": "127.0.0.1",
    "object_store_memory": cluster.STORE,
}


@dataclass(frozen=True)
class Nodes:
    """A cluster of two nodes: where it is, and the process of the node that is not its head."""

    address: str
    raylet: int


BELOW = '''"""below: drops a page twice as carefully."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page


@kernel
def release_page(page: Page) -> None:
    """As it was."""
    put_page(page)
'''

ABOVE = '''"""above: put_user_page() forgets every second reference."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page, Vma, pte_none, pte_page, pte_write, pte_wrprotect
from pinlab.lab.linux.design import get_page

BASE = "below/below.py"


@kernel
def copy_one_pte(parent: Vma, child: Vma, index: u1) -> None:
    """Without page_dup_rmap()."""
    spin_lock(child.ptl)
    spin_lock(parent.ptl)
    pte = READ_ONCE(parent.pte[index])
    if not pte_none(pte):
        if pte_write(pte):
            ptep_set_wrprotect(parent.pte[index], pte_wrprotect(pte))
        get_page(pte_page(pte))
        WRITE_ONCE(child.pte[index], pte_wrprotect(pte))
    spin_unlock(parent.ptl)
    spin_unlock(child.ptl)
'''


def _started(mark: str) -> list[int]:
    """The processes that have a mark in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (each / "environ").read_bytes().split(b"\0"):
                found.append(int(each.name))
    return found


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A cluster of two nodes. All that was started is gone afterwards."""
    from ray.cluster_utils import Cluster

    mark = secrets.token_hex(8)
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # names of sockets are short
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nodes"))
    made = None
    try:
        made = Cluster(
            initialize_head=True,
            head_node_args={**NODE, "include_dashboard": False, "temp_dir": folder},
        )
        node = made.add_node(**NODE)
        yield Nodes(made.address, node.all_processes["raylet"][0].process.pid)
    finally:
        with suppress(Exception):
            if made is not None:
                made.shutdown()
        for pid in _started(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 20
        while (left := _started(mark)) and time.monotonic() < until:
            time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)
        assert not left


def _start(*words: str, cache: Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", "from pinlab.cli import main; main()", *words]
    environment: Mapping[str, str] = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
    )


def _said(running: subprocess.Popen[str]) -> tuple[int, str]:
    """The status of a sweep and what it said, but for the seconds."""
    try:
        out, err = running.communicate(timeout=280)
    finally:
        running.kill()
    assert not err
    out = re.sub(r"[\d,.]+ s\.$", "SECONDS", out, flags=re.MULTILINE)
    return running.returncode, re.sub(r'"seconds": [\d.e-]+', "SECONDS", out)


def _sweep(*words: str, cache: Path, cwd: Path | None = None) -> tuple[int, str]:
    return _said(_start("sweep", *words, cache=cache, cwd=cwd))


@pytest.mark.slow
def test_a_cluster_says_what_this_machine_says(nodes: Nodes, tmp_path: Path) -> None:
    here = _sweep("untracked", *SMALL, cache=tmp_path / "here")
    assert "violated" in here[1]
    ray_ = ("--ray", nodes.address)
    assert _sweep("untracked", *SMALL, *ray_, cache=tmp_path / "driver") == here
    assert _sweep("untracked", *SMALL, *ray_, cache=tmp_path / "driver") == here  # as it was kept
    assert (tmp_path / "nodes" / "pinlab" / "explored-1.sqlite").exists()
    compare = ("compare", "skip", "bounce", "--json")
    compared = _said(_start(*compare, cache=tmp_path / "here"))
    assert _said(_start(*compare, *ray_, cache=tmp_path / "driver")) == compared
    as_json = _sweep("untracked", *SMALL, "--json", *ray_, cache=tmp_path / "driver")
    assert as_json == _sweep("untracked", *SMALL, "--json", cache=tmp_path / "here")


@pytest.mark.slow
def test_a_node_that_is_killed_costs_time_only(nodes: Nodes, tmp_path: Path) -> None:
    words = ("untracked", *SMALL, "--from", "dirty+buffers rw+rw2")
    here = _sweep(*words, cache=tmp_path / "here")
    raylet = nodes.raylet
    kept = tmp_path / "nodes" / "pinlab" / "explored-1.sqlite"
    running = _start("sweep", *words, "--ray", nodes.address, cache=tmp_path / "driver")
    until = time.monotonic() + 120
    while not (kept.exists() and _works(raylet)) and time.monotonic() < until:
        time.sleep(0.02)
    assert running.poll() is None, "it ended before a node could be killed"
    for pid in (raylet, *_children(raylet)):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    assert running.poll() is None, "it ended when a node was killed"
    assert _said(running) == here


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def _works(raylet: int) -> bool:
    """Whether a worker of a node does a task: its process bears the name of it."""
    names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _children(raylet)]
    return any(b"ray::" in it and b"_work" in it for it in names)


@joins
def test_a_patch_in_files_goes_with_what_it_builds_on(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "below.py").write_text(BELOW)
    (tmp_path / "above.py").write_text(ABOVE)
    words = ("above.py", "--with", "pin-fork-store", "--from", "anon", "--json")
    here = _sweep(*words, cache=tmp_path / "here", cwd=tmp_path)
    assert '"verdict": "violated"' in here[1]
    assert '"base": "below"' in here[1]
    there = _sweep(*words, "--ray", nodes.address, cache=tmp_path / "driver", cwd=tmp_path)
    assert there == here


@joins
def test_another_version_is_refused(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "version", lambda: ("another", "one"))
    it = face.load_design("bounce")
    with (
        cluster.joined(nodes.address) as there,
        pytest.raises(UsageError, match="has another version of pinlab"),
    ):
        face.sweep(it, Wanted(having="get-put", states=("clean",)), there=there)


@joins
def test_ctrl_c_ends_it_with_what_it_found(nodes: Nodes) -> None:
    def stop(done: int, of: int) -> None:
        if done > 60:
            raise KeyboardInterrupt

    it = face.load_design("bounce")
    with cluster.joined(nodes.address) as there:
        wanted = Wanted(having="fsync", states=("dirty+buffers rw",))
        found = face.sweep(it, wanted, there=there, on_sweep=stop)
    assert found.stopped == "interrupted"
    assert found.explored > 0
    assert found.unexplored > 0


@joins
@pytest.mark.parametrize("listens", [False, True])
def test_an_address_where_no_cluster_answers_is_refused(tmp_path: Path, listens: bool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if listens:
            other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        running = _start("sweep", "untracked", *SMALL, "--ray", address, cache=tmp_path)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (2, "")
    assert err.startswith(f"pinlab: --ray {address}: there is no cluster with this machine in it")
    assert err.count("\n") == 1


@joins
def test_one_that_is_started_here_listens_on_loopback_and_ends() -> None:
    before = set(Path("/tmp").glob("pinlab-ray-*"))
    with cluster.joined("local") as there:
        assert there.cpus
        ports = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True)
        own = [it for it in ports.stdout.splitlines() if "raylet" in it or "gcs_server" in it]
        assert own
        assert all("127.0.0.1" in it.split()[3] for it in own)
    assert set(Path("/tmp").glob("pinlab-ray-*")) == before


def test_a_design_that_became_another_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "below.py"
    file.write_text(BELOW)
    it = face.load_design(str(file))
    file.write_text(BELOW.replace("put_page(page)", "pass"))
    with pytest.raises(UsageError, match="is not the same on a node"):
        sent.received(sent.sent(it))


def test_what_is_sent_is_what_was_loaded() -> None:
    for name in (
        "bounce",
        "mainline",
        "refcount-bias+skip",
        "examples/reclaim_tests_dirty_first.py",
    ):
        it = face.load_design(name)
        below = face.base(it)
        assert sent.received(sent.sent(it)).name == it.name
        if below is not None:
            assert sent.received(sent.sent(it, below)).name == below.name
            assert sweep.ask(below, Wanted()) == sweep.ask(
                sent.received(sent.sent(it, below)), Wanted()
            )
