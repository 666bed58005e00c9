"""Entries that outlive a kill, are there for every process, and are not believed when damaged."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinlab.lab import store as stores
from pinlab.lab.store import Store


def test_what_was_kept_is_there_for_the_next_one(tmp_path: Path) -> None:
    Store(tmp_path, "x").put(b"key", b"content")
    assert Store(tmp_path, "x").get(b"key") == b"content"
    assert Store(tmp_path, "x").get(b"other") is None
    assert Store(tmp_path, "y").get(b"key") is None


def test_the_last_one_kept_counts(tmp_path: Path) -> None:
    it = Store(tmp_path, "x")
    it.put(b"key", b"one")
    it.put(b"key", b"two")
    assert it.get(b"key") == b"two"


def test_a_forked_process_has_a_connection_of_its_own(tmp_path: Path) -> None:
    it = Store(tmp_path, "x")
    it.put(b"parent", b"1")
    if (child := os.fork()) == 0:
        it.put(b"child", b"2")
        os._exit(it.get(b"parent") != b"1")
    assert os.waitpid(child, 0)[1] == 0
    assert it.get(b"child") == b"2"


def test_where_nothing_can_be_written_nothing_is_kept() -> None:
    it = Store(Path("/proc/nowhere"), "x")
    it.put(b"key", b"content")
    assert it.get(b"key") is None


COUNTS = """
import sys
from pathlib import Path
from pinlab.lab.store import Store
it = Store(Path(sys.argv[1]), "x")
for number in range(1_000_000):
    it.put(str(number).encode(), b"content")
    print(number, flush=True)
"""


def test_a_kill_loses_one(tmp_path: Path) -> None:
    words = [sys.executable, "-c", COUNTS, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "100\n":
            pass
        process.send_signal(signal.SIGKILL)
        last = max(100, *map(int, process.stdout.read().split()), 0)
    it = Store(tmp_path, "x")
    assert all(it.get(str(number).encode()) == b"content" for number in range(last + 1))
    assert it.get(str(last + 2).encode()) is None


def test_a_file_that_is_none_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = Store(tmp_path, "x")
    it.path.write_bytes(b"not a database, whatever it was" * 200)
    with caplog.at_level(logging.WARNING):
        assert it.get(b"key") is None
    assert "is damaged, and is begun anew" in caplog.text
    it.put(b"key", b"content")
    assert Store(tmp_path, "x").get(b"key") == b"content"


def test_an_entry_is_not_believed_under_another_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = Store(tmp_path, "x")
    it.put(b"key", b"content")
    with sqlite3.connect(it.path) as connection:
        connection.execute("update kept set key = ?", (b"other",))
    assert it.get(b"other") is None
    assert "is damaged" in caplog.text


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 255)), min_size=1, max_size=40))
def test_bytes_that_changed_are_never_believed(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    """Whatever happens to the file, an entry is as it was kept, or is not there."""
    it = Store(tmp_path, f"x{time.monotonic_ns()}")
    kept = {str(number).encode(): f"content {number}".encode() * 9 for number in range(40)}
    for key, content in kept.items():
        it.put(key, content)
    it.close()
    damaged = bytearray(it.path.read_bytes())
    for at, by in changes:
        damaged[at % len(damaged)] ^= by
    it.path.write_bytes(damaged)
    for key, was in kept.items():
        assert it.get(key) in (was, None)
    it.put(b"new", b"and kept")
    assert it.get(b"new") in (b"and kept", None)


def test_the_older_half_goes_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MOST", 100_000)
    monkeypatch.setattr(stores, "LOOK", 10)
    it = Store(tmp_path, "x")
    for number in range(400):
        it.put(str(number).encode(), os.urandom(1000))
    there = [number for number in range(400) if it.get(str(number).encode())]
    assert there == list(range(there[0], 400))
    assert 20 < len(there) < 200
