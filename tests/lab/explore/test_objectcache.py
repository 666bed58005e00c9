"""The cache of made code saves time and does nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab.explore import machine, native, objectcache

from .programs import filter_lock

COUNTS = (705, 1725)


def explore() -> tuple[int, int]:
    machine._loaded.clear()  # as a new process would
    found = native.explore(filter_lock(3))
    return found.states, found.transitions


def entries(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.o"))


def test_kept_and_used_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert explore() == COUNTS
    assert len(entries(cache)) == 1
    monkeypatch.setattr(machine, "_compile", lambda text: pytest.fail("compiled again"))
    assert explore() == COUNTS
    assert machine.is_quick(filter_lock(3).program)


@pytest.mark.parametrize("damage", [b"", b"x" * 10, None])
def test_a_damaged_entry_is_ignored_and_replaced(cache: Path, damage: bytes | None) -> None:
    explore()
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    assert objectcache.load(entry.stem) is None
    assert explore() == COUNTS
    assert objectcache.load(entry.stem) is not None


def test_an_entry_of_another_program_is_ignored_and_replaced(cache: Path) -> None:
    """Whole, but not what its name says."""
    explore()
    (entry,) = entries(cache)
    assert native.explore(filter_lock(2)).states == 34
    (other,) = set(entries(cache)) - {entry}
    entry.write_bytes(other.read_bytes())
    other.unlink()
    assert objectcache.load(entry.stem) is None
    assert explore() == COUNTS
    assert objectcache.load(entry.stem) is not None


def test_safe_to_delete(cache: Path) -> None:
    explore()
    for entry in entries(cache):
        entry.unlink()
    assert explore() == COUNTS


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setattr(objectcache, "cache_folder", lambda: file / "pinlab")
    assert explore() == COUNTS


def test_nothing_else_is_left(cache: Path) -> None:
    explore()
    assert {path.suffix for path in cache.iterdir()} == {objectcache.SUFFIX}


def test_keys_do_not_run_together() -> None:
    assert objectcache.key("ab", "c") != objectcache.key("a", "bc")
