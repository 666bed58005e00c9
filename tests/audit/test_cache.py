"""Facts of files read before: never stale, never in part, never too many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinlab.audit import cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "audit")
    return tmp_path / "audit"


def test_what_was_kept_is_there() -> None:
    key = cache.name(b"int a;", b"how")
    assert cache.load(key) is None
    cache.store(key, ("facts",))
    assert cache.load(key) == ("facts",)


def test_other_bytes_and_another_way_to_read_have_other_names() -> None:
    names = {cache.name(b"a", b"how"), cache.name(b"b", b"how"), cache.name(b"a", b"else")}
    assert len(names) == 3


def test_what_is_damaged_is_not_there(folder: Path) -> None:
    key = cache.name(b"int a;", b"how")
    cache.store(key, ("facts",))
    (folder / key).write_bytes(b"\x80\x05damaged")
    assert cache.load(key) is None


def test_a_folder_that_cannot_be_written_is_no_matter(folder: Path) -> None:
    folder.write_text("a file")
    cache.store("key", "facts")
    assert cache.load("key") is None


def test_the_oldest_go_when_there_is_too_much(folder: Path) -> None:
    for number in range(8):
        cache.store(f"{number}", "x" * 1000)
        os.utime(folder / f"{number}", (number, number))
    cache.tidy(limit=6000)
    assert sorted(each.name for each in folder.iterdir()) == ["6", "7"]
    cache.tidy(limit=6000)
    assert len(list(folder.iterdir())) == 2
