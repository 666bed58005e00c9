"""What live tests have in common: the reader, and that there is one of them at a time."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pinlab.field.memory.live import LiveReader
from tests.live import needs

NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """The tests compare all pins of the machine: whoever pins meanwhile must wait."""
    with open(Path(tempfile.gettempdir()) / "pinlab-live-tests.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def live() -> Iterator[LiveReader]:
    """A reader of the running kernel."""
    with needs.reader() as reader:
        yield reader


@pytest.fixture
def huge_pages() -> Iterator[None]:
    """Four huge pages in the pool, if we may; the number there was comes back."""
    before = NR_HUGEPAGES.read_text()
    with suppress(OSError):
        NR_HUGEPAGES.write_text(f"{int(before) + 4}\n")
    yield
    with suppress(OSError):
        NR_HUGEPAGES.write_text(before)
