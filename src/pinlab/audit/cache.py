"""The facts of files read before, by what is in them: a second audit of a tree parses nothing.

A file's facts depend on its bytes, on how it is read, and on this package. All three are in the
name, so nothing here is ever stale, and what is damaged is made anew.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from functools import cache
from pathlib import Path
from typing import Final

_KEPT: Final = 40_000
"""Files at most; the folder is emptied when there are more."""


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
        half.unlink(missing_ok=True)


def tidy() -> None:
    """Empty the folder if there is too much in it."""
    try:
        files = list(folder().iterdir())
        if len(files) > _KEPT:
            for each in files:
                each.unlink(missing_ok=True)
    except OSError:
        return
