"""Which functions of C a patch touches, and what the model has for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchSet

from pinlab.errors import UsageError
from pinlab.lab import catalogue, model
from pinlab.lab.results import Touched, TouchedFunction

DEFINITION = re.compile(r"^[A-Za-z_][\w\s*]*?\b(\w+)\s*\((?!.*;\s*$)")
"""How the kernel begins a function: in the first column, and not ended as a declaration is."""
NO_FUNCTION = frozenset({"if", "for", "while", "switch", "return", "sizeof", "defined"})
SOURCE = (".c", ".h")


def touched(path: Path) -> Touched:
    """The functions that a unified diff touches, as `git format-patch` writes it. Raises UsageError
    for what is none."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a patch, as git format-patch writes it")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return Touched(tuple(_touched(text, str(path))))


def _touched(text: str, name: str) -> Iterator[TouchedFunction]:
    try:
        patch = PatchSet(text)
    except UnidiffParseError as error:
        raise UsageError(f"{name} is no unified diff: {' '.join(str(error).split())}") from error
    if not len(patch):
        raise UsageError(f"{name} is no unified diff: write one with git format-patch, or diff -up")
    seen: set[tuple[str, str]] = set()
    for file in patch:
        if not file.path.endswith(SOURCE):
            continue
        for function in (function for hunk in file for function in functions_of(hunk)):
            if (file.path, function) not in seen:
                seen.add((file.path, function))
                yield TouchedFunction(file.path, function, models_of(function))


def functions_of(hunk: Hunk) -> Iterator[str]:
    """The functions in which a hunk adds or removes a line; of a line before the first one, the
    function that the hunk's heading names."""
    found = DEFINITION.match(hunk.section_header.strip())
    function = found[1] if found else ""
    for line in hunk:
        begins = DEFINITION.match(line.value)
        if begins and begins[1] not in NO_FUNCTION:
            function = begins[1]
        elif line.value.startswith("}"):
            if function and not line.is_context:
                yield function
            function = ""
            continue
        if function and not line.is_context and line.value.strip():
            yield function


def models_of(function: str) -> tuple[str, ...]:
    """The functions of the model that stand for one of the kernel."""
    every = model.functions().items()
    return tuple(name for name, it in every if function in catalogue.stands_for(it))
