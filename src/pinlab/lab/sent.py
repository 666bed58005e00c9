"""A design as it is sent to another machine: the word that it is loaded by, and the user's files.

The other machine writes the files below a folder of its own, as they lie below / here, goes to
where we are and loads the word there. Whether it has the same design then is not taken for granted:
the programs are compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pinlab.errors import UsageError
from pinlab.lab import build, ledger
from pinlab.lab import design as designs
from pinlab.lab.design import Design


@dataclass(frozen=True, slots=True)
class Sent:
    """A design in words and text. `files` are absolute paths and what they contain, `folder` is
    where relative ones begin; `is_below` says that what the word's design builds on is meant."""

    word: str
    name: str
    is_below: bool
    folder: str
    files: tuple[tuple[str, bytes], ...]
    digest: str
    """Of its program, and of what is asked of it."""


def sent(design: Design, below: Design | None = None) -> Sent:
    """A design, as it was loaded; or `below`, what it builds on. Raises UsageError if one of its
    files cannot be read any more."""
    try:
        files = [(each, Path(each).read_bytes()) for each in sorted(_files(design))]
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    folder = os.getcwd()
    word = design.word
    parts = [word] if Path(word).is_file() else word.split("+")
    word = "+".join(os.path.relpath(it) if os.path.isabs(it) else it for it in parts)
    meant = design if below is None else below
    return Sent(word, meant.name, below is not None, folder, tuple(files), _digest(meant))


def _files(design: Design) -> Iterator[str]:
    """The user's own files that it is made of."""
    for each in design.lineage:
        if os.path.isabs(each) and Path(each).is_file():
            yield os.path.normpath(each)


def _digest(design: Design) -> str:
    known = tuple(build.objectives_of(design))
    return f"{ledger.digest(build.program(design))} {known}"


@cache
def received(it: Sent) -> Design:
    """The design. Raises UsageError if it is not what was sent."""
    with TemporaryDirectory(prefix="pinlab-sent-") as root:
        for name, text in it.files:
            path = _under(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        folder = _under(root, it.folder)
        folder.mkdir(parents=True, exist_ok=True)
        with _inside(folder):
            found = designs.load(it.word)
            if it.is_below:
                below = designs.below(found)
                assert below is not None, it.word
                found = below
            digest = _digest(found)  # compiled, while its source is there
    if digest != it.digest:
        raise UsageError(
            f"{it.name} is not the same on a node of the cluster: what its files import beside "
            "pinlab, or name by an absolute path, is not sent"
        )
    return replace(found, name=it.name)


def _under(root: str, path: str) -> Path:
    return Path(root, os.path.normpath(path).lstrip("/"))


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
