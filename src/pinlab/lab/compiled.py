"""Programs of the package's own designs, compiled once: in a second `compare` to compile them would
take longer than all else.

They are kept under a digest of every file that they may come from. A design of somebody's own is
compiled each time, as what it imports is not ours to know.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pinlab
from pinlab.lab.explore.objectcache import cache_folder
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.language.program import Program
from pinlab.lab.store import Store
from pinlab.objectives.automaton import Automaton

FOLDERS: Final = ("lab", "objectives")


def program(
    roots: tuple[KernelFunction, ...],
    replaced: Mapping[str, KernelFunction],
    automata: tuple[Automaton, ...],
    pages: int,
    is_ours: bool,
) -> Program:
    """As `compile_program`. `is_ours` says that the package alone has the objectives. Raises
    LanguageError."""

    def make() -> Program:
        return compile_program(roots, replaced, automata, pages)

    every = (*roots, *replaced.values())
    if not (is_ours and all(it.__module__.startswith("pinlab.") for it in every)):
        return make()
    said = (
        [(it.__module__, it.__name__) for it in roots],
        sorted((name, it.__module__, it.__name__) for name, it in replaced.items()),
        [it.name for it in automata],
        pages,
    )
    return _kept(f"{package()} {said}", make)


def _kept(said: str, make: Callable[[], Program]) -> Program:
    key = hashlib.sha256(said.encode()).digest()
    found = store().get(key)
    if found is not None:
        program = pickle.loads(found)
        assert isinstance(program, Program)
        return program
    made = make()
    store().put(key, pickle.dumps(made))
    return made


@cache
def store() -> Store:
    """Where programs are kept."""
    return Store(cache_folder(), "compiled")


@cache
def package() -> str:
    """The digest of all that the package has of models, language and objectives."""
    return digest(FOLDERS)


def digest(parts: Iterable[str]) -> str:
    """The digest of files of the package, and of Python: folders, or single ones.

    If one of them was changed since this process began, what runs may be the text before: then it
    is a digest that is nobody's, so that nothing is believed, and nothing is kept for others.
    """
    found = hashlib.sha256(sys.version.encode())
    home = Path(pinlab.__file__).parent
    for part in parts:
        place = home / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found.update(str(file.relative_to(home)).encode() + b"\0" + file.read_bytes())
            if file.stat().st_mtime >= pinlab.BEGAN:
                found.update(os.urandom(16))
    return found.hexdigest()
