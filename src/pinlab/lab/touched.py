"""Which functions of C a patch touches, and what the model has for them."""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from pinlab.errors import UsageError
from pinlab.lab import catalogue, worlds
from pinlab.lab.results import Touched, TouchedFunction
from pinlab.lab.world import World

DEFINITION = re.compile(r"^(?:[A-Za-z_][\w\s*]*?\b)?([A-Za-z_]\w*)\s*\((?!.*;\s*$)")
"""How the kernel begins a function: in the first column, its type before it or on the line before,
and not ended as a declaration is."""
SYSCALL = re.compile(r"^(?:COMPAT_)?SYSCALL_DEFINE\d\((\w+)")
COMBINED = re.compile(r"^(?:diff --(?:cc|combined) |@@@)", re.MULTILINE)
NO_FUNCTION = frozenset({"if", "for", "while", "switch", "return", "sizeof", "defined"})
SOURCE = (".c", ".h")


def touched(path: Path, world: World = worlds.DEFAULT) -> Touched:
    """The functions that a unified diff touches, as `git format-patch` writes it, and what a world
    has for them; "-" is standard input. Raises UsageError for what is no diff."""
    if str(path) == "-":
        return _of(sys.stdin.read(), "standard input", world)
    if path.is_dir():
        raise UsageError(f"{path} is a directory: give a patch, as git format-patch writes it")
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a patch, as git format-patch writes it")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return _of(text, str(path), world)


def _of(text: str, name: str, world: World) -> Touched:
    patch = _parsed(text, name)
    names: dict[tuple[str, str], None] = {}
    unnamed: Counter[str] = Counter()
    for file in patch:
        for hunk in file if file.path.endswith(SOURCE) else ():
            functions = list(functions_of(hunk))
            names |= dict.fromkeys((file.path, function) for function in functions if function)
            unnamed[file.path] += "" in functions
    return Touched(
        tuple(_function(*each, world) for each in names),
        tuple((file, hunks) for file, hunks in unnamed.items() if hunks),
    )


def _parsed(text: str, name: str) -> PatchSet:
    if COMBINED.search(text):
        raise UsageError(
            f"{name} is the combined diff of a merge: write one with `git show -m --first-parent`"
        )
    try:
        patch = PatchSet(text)
    except UnidiffParseError as error:
        why = " ".join(str(error).split())
        raise UsageError(
            f"{name} is no unified diff, or its blanks were lost on the way: {why}"
        ) from error
    if not len(patch):
        raise UsageError(f"{name} is no unified diff: write one with git format-patch, or diff -up")
    cut = [file.path for file in patch if not len(file) and _should_change(file)]
    if cut:
        raise UsageError(f"{name} has no hunk for {cut[0]}: it was cut short; write it again")
    return patch


def _should_change(file: PatchedFile) -> bool:
    return not (file.is_rename or file.is_binary_file or file.is_added_file or file.is_removed_file)


def _function(file: str, name: str, world: World) -> TouchedFunction:
    models = models_of(name, world)
    return TouchedFunction(file, name, models, () if models else named_in(name, world))


def functions_of(hunk: Hunk) -> Iterator[str]:
    """The functions in which a hunk adds or removes a line; of a line before the first one, the
    function that the hunk's heading names. "": the diff does not name it."""
    function = begun(hunk.section_header.strip())
    for line in hunk:
        if begins := begun(line.value):
            function = begins
        elif line.value.startswith("}"):
            if function and not line.is_context:
                yield function
            function = ""
            continue
        if not line.is_context and line.value.strip():
            yield function


def begun(line: str) -> str:
    """The function that a line begins; empty if it begins none."""
    if call := SYSCALL.match(line):
        return f"sys_{call[1]}"
    found = DEFINITION.match(line)
    return found[1] if found and found[1] not in NO_FUNCTION else ""


def models_of(function: str, world: World = worlds.DEFAULT) -> tuple[str, ...]:
    """The functions of the model that stand for one of the kernel."""
    every = world.functions.items()
    return tuple(name for name, it in every if function in catalogue.stands_for(it))


def named_in(function: str, world: World = worlds.DEFAULT) -> tuple[str, ...]:
    """The functions of the model that begin with the name of one of the kernel, or speak of it."""
    word = re.compile(rf"\b{re.escape(function)}(?:\(\)|\b)")
    return tuple(
        name
        for name, it in world.functions.items()
        if name.startswith(f"{function}_") or word.search(inspect.getsource(it.function))
    )
