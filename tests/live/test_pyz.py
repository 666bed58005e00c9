"""dist/pinlab.pyz in roots of distributions that have Python and nothing else, on this kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.live import needs

pytestmark = [pytest.mark.live, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
PYTHONS = {"bookworm": "Python 3.11.", "trixie": "Python 3.13."}
INSIDE = """
for place in proc sys dev; do mount --rbind "/$place" "$0/$place" || exit; done
exec chroot "$0" "$@"
"""
"""In a mount namespace of its own, so that nothing is left to be unmounted."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@cache
def pyz() -> Path:
    """The file, made of this tree by the tools of this virtual environment, as it is."""
    line = ["make", "pyz", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed"]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return PROJECT / "dist" / "pinlab.pyz"


@pytest.fixture(scope="module", params=PYTHONS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a program in a root of Debian, where the file is /pinlab.pyz; or skip."""
    with TemporaryDirectory() as root:
        line = ["debootstrap", "--variant=minbase", "--include=python3", request.param, root]
        try:
            subprocess.run(line, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stdout", None) or str(error)
            pytest.skip(f"there is no root of {request.param} to be had: {said.splitlines()[-1]}")
        shutil.copy(pyz(), root)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            line = ["unshare", "--mount", "sh", "-c", INSIDE, root, *words]
            return subprocess.run(line, capture_output=True, text=True, timeout=120)

        assert run("python3", "--version").stdout.startswith(PYTHONS[request.param])
        yield run


def test_finds_a_pin_and_its_holder(run: Run) -> None:
    needs.reader().close()
    assert run("/pinlab.pyz", "--help").returncode == 0
    with needs.hold("io_uring", 4 * 4096) as (held,):
        census = run("/pinlab.pyz", "census", "--json")
        who = run("/pinlab.pyz", "who", str(held.pid), "--json")
    pinned = {folio["pfn"] for folio in json.loads(census.stdout)["folios"]}
    assert {each.pfn for each in held.extents} <= pinned
    assert "io_uring" in {claim["kind"] for claim in json.loads(who.stdout)["claims"]}


def test_starts_a_program_of_its_own(run: Run) -> None:
    """The server of a FUSE file is pinlab again, in another process."""
    with needs.hold("fuse", 4096):
        done = run("/pinlab.pyz", "hold", "fuse", "--for", "0.1")
    assert done.returncode == 0, done.stderr


def test_says_what_is_not_in_it(run: Run) -> None:
    done = run("/pinlab.pyz", "watch")
    assert done.returncode == 2
    assert done.stderr.startswith("pinlab: watch needs Arrow")
