"""The facts of files read before, by what is in them: a second audit of a tree parses nothing.

A file's facts depend on its bytes, on how it is read, and on this package. All three are in the
name, so nothing here is ever stale, and what is damaged is made anew.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

LARGEST: Final = 512 << 20
"""Bytes of the folder; a kernel's facts take 20 MB."""


@cache
def folder() -> Path:
    """$XDG_CACHE_HOME/pinlab/audit, or ~/.cache/pinlab/audit."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "pinlab" / "audit"


@cache
def _reader() -> bytes:
    """Which code reads: all of this package, as nobody should have to think of it."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.blake2b(b"".join(each.read_bytes() for each in sources)).digest()


def name(source: bytes, how: bytes) -> str:
    """Under which name the facts of these bytes are kept."""
    return hashlib.blake2b(source + _reader() + how, digest_size=20).hexdigest()


def name_of_file(path: Path, how: bytes) -> str:
    """The same of a large file. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "blake2b").digest()
    return name(digest, how)


def load(key: str) -> object:
    """What was kept; None if it is not there, or damaged."""
    try:
        return pickle.loads((folder() / key).read_bytes())
    except Exception:  # a damaged pickle may raise anything
        return None


def store(key: str, what: object) -> None:
    """Keep them, if there is room; never in part."""
    place = folder()
    half = place / f".{key}-{os.getpid()}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        half.write_bytes(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))
        half.replace(place / key)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def tidy(limit: int = LARGEST) -> None:
    """Take away what was written first, if there is too much."""
    try:
        entries = [(each.stat().st_mtime, each.stat().st_size, each) for each in folder().iterdir()]
    except OSError:
        return
    size = sum(each[1] for each in entries)
    if size <= limit:
        return
    for _, bytes_, entry in sorted(entries, key=lambda each: each[0]):
        entry.unlink(missing_ok=True)
        size -= bytes_
        if size <= limit // 2:
            return
