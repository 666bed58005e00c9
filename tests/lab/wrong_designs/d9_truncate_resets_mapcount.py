"""D9: truncate resets _mapcount as it always did; unpin then drives it to -2."""

from __future__ import annotations

from pinlab.lab.language.kernel import atomic_set, kernel
from pinlab.lab.linux.types import Page

BASE = "mapcount-v3"


@kernel
def still_mapped_when_deleted(page: Page) -> None:
    atomic_set(page._mapcount, -1)
