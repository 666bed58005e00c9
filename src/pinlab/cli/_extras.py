"""What `pip install pinlab` does not bring, and which extra brings it: docs/dependencies.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pinlab.errors import UsageError

EXTRAS: Final[Mapping[str, tuple[str, str]]] = {
    "lark": ("Lark", "lab"),
    "llvmlite": ("LLVM", "lab"),
    "numba": ("Numba", "lab"),
    "pyarrow": ("Arrow", "parquet"),
    "unidiff": ("unidiff", "lab"),
}
"""By the name that is imported: what people call it, and the extra."""


def lacking(command: str | None, error: ModuleNotFoundError) -> UsageError | None:
    """What a user is to do about a module that is not there; None if pinlab itself is broken."""
    if (found := EXTRAS.get((error.name or "").partition(".")[0])) is None:
        return None
    name, extra = found
    return UsageError(
        f"{command} needs {name}, which is not installed: pip install 'pinlab[{extra}]'"
    )
