"""A file of what was worked out, by key, in SQLite: each entry is there as soon as it is kept.

Whoever is killed loses what it was about to keep, and nothing else. An entry is believed if its
checksum says so; a file that SQLite cannot read is deleted and begun anew, which is said.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

LAYOUT: Final = 1
"""Of the file; another one is another file."""

MOST: Final = 1 << 30
"""Bytes that the file may have; beyond them the older half of the entries is deleted."""

LOOK: Final = 1000
"""Entries kept between two looks at the size."""

_TABLE: Final = """
create table if not exists kept (
    number integer primary key,
    key blob unique not null,
    body blob not null,
    checksum blob not null
)
"""

_NOT_OURS: Final = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR),
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
    }
)
"""Errors that say nothing against the file: others write it, it must not be written, or the disk is
full."""

_say: Final = logging.getLogger("pinlab")


class Store:
    """Entries of bytes by keys of bytes. Where no file can be written, nothing is kept. May be used
    in a process that was forked."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}-{LAYOUT}.sqlite"
        self._process = 0
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[object] = []
        self._kept = 0

    def get(self, key: bytes) -> bytes | None:
        """What was kept under a key; None if there is nothing, or nothing that can be believed."""
        row = self._try(
            lambda it: it.execute(
                "select cast(body as blob), checksum from kept where key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        body, checksum = row
        if body is None or checksum != _checksum(key, body):
            _say.warning("an entry of %s is damaged, and is worked out again", self.path)
            return None
        return zlib.decompress(body)

    def put(self, key: bytes, content: bytes) -> None:
        """Keep it, instead of what there was."""
        body = zlib.compress(content, 1)
        row = key, body, _checksum(key, body)
        self._try(
            lambda it: it.execute(
                "insert or replace into kept (key, body, checksum) values (?, ?, ?)", row
            )
        )
        self._kept += 1
        if self._kept % LOOK == 0 and self._size() > MOST:
            self._try(_forget_half)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _try(self, what: Callable[[sqlite3.Connection], T]) -> T | None:
        """What it gives; None where there is no file to be had."""
        for _ in range(2):
            try:
                return what(self._open())
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # in its message
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_OURS:
                    return None
                self._begin_anew()
            except OSError:
                return None
        return None

    def _open(self) -> sqlite3.Connection:
        """The connection of this process. That of one which has forked it must be neither used nor
        closed here (sqlite.org/howtocorrupt.html, 2.6)."""
        if self._connection is not None:
            if self._process == os.getpid():
                return self._connection
            self._inherited.append(self._connection)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute(_TABLE)
        self._connection, self._process = connection, os.getpid()
        return connection

    def _begin_anew(self) -> None:
        _say.warning("%s is damaged, and is begun anew", self.path)
        self.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)


def _forget_half(connection: sqlite3.Connection) -> None:
    connection.execute("delete from kept where number <= (select avg(number) from kept)")
    connection.execute("vacuum")


def _checksum(key: bytes, body: bytes) -> bytes:
    return hashlib.sha256(key + body).digest()[:16]
