"""What a live test needs: tried, and if it is not there the test is skipped, saying what."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from pinlab.errors import UsageError
from pinlab.field.acts.pinning.kind import Held
from pinlab.field.acts.pinning.kind import hold as holding
from pinlab.field.acts.pinning.memory import Memory
from pinlab.field.errors import FieldError
from pinlab.field.memory.live import LiveReader


def reader() -> LiveReader:
    """A reader of this kernel, or skip."""
    try:
        return LiveReader()
    except FieldError as error:
        pytest.skip(f"kernel memory cannot be read here: {error}")


def hold(
    kind: str, size: int, memory: Memory = Memory.anon, count: int = 1
) -> AbstractContextManager[tuple[Held, ...]]:
    """Something that holds pages, or skip."""
    try:
        with holding(kind, size, memory=memory):
            pass
    except (UsageError, OSError) as error:
        pytest.skip(f"{kind} of {memory} cannot be held here: {error}")
    return holding(kind, size, memory=memory, count=count)
