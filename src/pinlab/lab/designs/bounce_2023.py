"""bounce-2023: writeback of a pinned page sends a copy, and the page becomes clean.

Source: Kara's series of 9 February 2023 (BIO_NEED_PIN_BOUNCE in iomap), not merged; its first patch
is what became d824ec2a1546, reclaim leaves the buffers of pinned pages.

Known holes: the page is clean while pinned, and its holder dirties it without the file system
having been told (O2 as Chinner reads it); the buffers are there, so nothing crashes (I3).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import allocate, kernel, u3
from pinlab.lab.linux.design import BOUNCE, SKIP, page_pinned
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """Background writeback skips (patch 3); data integrity bounces (patch 5)."""
    if not sync:
        return SKIP
    allocate()
    return BOUNCE


@kernel
def reclaim_may_release(page: Page) -> bool:
    """Patch 1."""
    return not page_pinned(page)
