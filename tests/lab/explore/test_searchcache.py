"""The compiled search is kept on disk; only what is whole and of this version is believed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
import pytest

from pinlab.lab.explore import objectcache, raw, search


def triple(x: int) -> int:
    return 3 * x


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(raw, "FOLDER", tmp_path)
    return tmp_path


def hits(x: int = 5) -> int:
    """Call the function as a new process would; how often the cache had it."""
    compiled: Any = raw.njit(triple)
    assert compiled(x) == 3 * x
    return int(sum(compiled.stats.cache_hits.values()))


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_kept_and_used_again(folder: Path) -> None:
    assert (hits(), hits()) == (0, 1)
    assert len(entries(folder)) == 1


def test_kept_by_pinlab_wherever_the_user_lets_numba_keep_things(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("numba")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(elsewhere))
    assert (hits(), hits()) == (0, 1)
    assert (len(entries(folder)), entries(elsewhere)) == (1, [])


def flipped(data: bytes) -> bytes:
    """One bit of the code is wrong."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "a checksum alone": lambda data: data[:32],
    "cut short": lambda data: data[: len(data) // 2],
    "too long": lambda data: data + b"\0",
    "one bit": flipped,
    "text": lambda data: b"not a cache entry\n" * 100,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_ignored_and_replaced(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    hits()
    (entry,) = entries(folder)
    entry.write_bytes(damage(entry.read_bytes()))
    assert (hits(), hits()) == (0, 1)
    assert entries(folder) == [entry]


def test_an_entry_of_another_function_is_ignored_and_replaced(folder: Path) -> None:
    hits()
    (entry,) = entries(folder)
    assert hits(x=5.0) == 0  # type: ignore[arg-type]
    (other,) = set(entries(folder)) - {entry}
    entry.write_bytes(other.read_bytes())
    assert (hits(), hits()) == (0, 1)


def test_a_folder_in_the_way_of_an_entry(folder: Path) -> None:
    hits()
    (entry,) = entries(folder)
    entry.unlink()
    entry.mkdir()
    assert (hits(), hits()) == (0, 0)
    assert entries(folder) == [entry]


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("in the way")
    monkeypatch.setattr(raw, "FOLDER", folder / "file" / "search")
    assert (hits(), hits()) == (0, 0)


VERSIONS = [(numba, "__version__"), (llvmlite, "__version__"), (np, "__version__")]


@pytest.mark.parametrize(("owner", "name"), [*VERSIONS, (sys, "version")])
def test_an_entry_of_another_version_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    hits()
    monkeypatch.setattr(owner, name, "another")
    monkeypatch.setattr(raw, "MADE_FROM", raw.made_from())
    assert (hits(), hits()) == (0, 1)
    assert len(entries(folder)) == 2


@pytest.mark.parametrize("name", raw.SOURCES)
def test_an_entry_of_other_sources_is_left_alone(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    sources = tmp_path_factory.mktemp("sources")
    for source in raw.SOURCES:
        shutil.copy(Path(raw.__file__).with_name(source), sources)
    monkeypatch.setattr(raw, "__file__", str(sources / "raw.py"))
    assert raw.made_from() == raw.MADE_FROM
    hits()
    with (sources / name).open("a") as file:
        file.write("# an edit\n")
    monkeypatch.setattr(raw, "MADE_FROM", raw.made_from())
    assert (hits(), hits()) == (0, 1)
    assert len(entries(folder)) == 2


def test_the_sources_are_all_that_the_search_imports() -> None:
    tree = ast.parse(Path(search.__file__).read_text())
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {f"{m.rpartition('.')[2]}.py" for m in modules if m.startswith("pinlab.")}
    assert {"search.py", *imported} == set(raw.SOURCES)


EXPLORE = """
from tests.lab.explore.programs import filter_lock
from pinlab.lab.explore import native
print(native.explore(filter_lock(3)).states)
"""


@pytest.mark.slow
def test_the_search_itself(tmp_path: Path) -> None:
    """In processes of their own: compiled, used again, and compiled again where it is damaged."""

    def explore() -> str:
        own = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", EXPLORE]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert explore() == "705\n"
    kept = list((tmp_path / "pinlab" / "search").glob(f"*{objectcache.SUFFIX}"))
    times = {file: file.stat().st_mtime_ns for file in kept}
    assert len(kept) > 3
    assert explore() == "705\n"
    assert times == {file: file.stat().st_mtime_ns for file in kept}
    for i, file in enumerate(kept):
        file.write_bytes(list(DAMAGES.values())[i % len(DAMAGES)](file.read_bytes()))
        times[file] = file.stat().st_mtime_ns
    assert explore() == "705\n"
    assert all(file.stat().st_mtime_ns > times[file] for file in kept)
