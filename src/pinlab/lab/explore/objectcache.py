"""Files that only save time: made code, kept under the user's cache folder.

Every entry can be deleted at any moment. It is written to a temporary file and renamed, so
that a reader never sees half of it, and carries a checksum of its name and content, so that
one that is damaged, or another program's, is ignored: LLVM would crash on the one, and the
other would give a wrong verdict.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

SUFFIX = ".o"


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/pinlab, or ~/.cache/pinlab."""
    home = os.environ.get("XDG_CACHE_HOME")
    # the specification asks to ignore a relative path
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "pinlab"


def key(*parts: str) -> str:
    """The name under which what depends on `parts`, and on nothing else, is kept."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode())
        digest.update(part.encode())
    return digest.hexdigest()[:40]


def load(name: str, folder: Path | None = None) -> bytes | None:
    """The entry called `name`, or None if there is none that is whole.

    `folder` is `cache_folder()` unless given, here and below.
    """
    try:
        data = _file(name, folder).read_bytes()
    except OSError:
        return None
    checksum, content = data[:32], data[32:]
    return content if _checksum(name, content) == checksum else None


def store(name: str, content: bytes, folder: Path | None = None) -> None:
    """Keep `content` as `name`; does nothing where the folder cannot be written."""
    entry = _file(name, folder)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=entry.parent, prefix=name[:8], suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_checksum(name, content) + content)
        os.replace(temporary, entry)
    except OSError:
        Path(temporary).unlink(missing_ok=True)


def holds(name: str) -> bool:
    """Whether there is an entry called `name`, whole or not."""
    return _file(name).exists()


def _file(name: str, folder: Path | None = None) -> Path:
    return (folder or cache_folder()) / (name + SUFFIX)


def _checksum(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()
