"""What `pip install pinlab` does not bring, and which extra brings it: docs/dependencies.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from pinlab.errors import UsageError

EXTRAS: Final[Mapping[str, tuple[str, str]]] = {
    "lark": ("Lark", "lab"),
    "llvmlite": ("LLVM", "lab"),
    "numba": ("Numba", "lab"),
    "pyarrow": ("Arrow", "parquet"),
    "ray": ("Ray", "ray"),
    "unidiff": ("unidiff", "lab"),
}
"""By the name that is imported: what people call it, and the extra."""


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Imports that only a part of a command needs: Raises UsageError that says so of `what`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise lacking(what, error) or error from None


def lacking(command: str | None, error: ModuleNotFoundError) -> UsageError | None:
    """What a user is to do about a module that is not there; None if pinlab itself is broken."""
    if (found := EXTRAS.get((error.name or "").partition(".")[0])) is None:
        return None
    name, extra = found
    return UsageError(
        f"{command} needs {name}, which is not installed: pip install 'pinlab[{extra}]'"
    )
