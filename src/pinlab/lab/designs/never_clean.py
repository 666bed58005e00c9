"""never-clean: a pinned page is written as it is, but stays dirty.

Source: Kara, December 2018: if a pinned page never becomes clean, nobody dirties a clean one (O2).

Known holes: the device stores into the image that is being written (O1). A page that is always
dirty cannot be invalidated: a direct write to the file leaves old data in the cache (I4, D12).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, u3
from pinlab.lab.linux.design import SKIP, WRITE_DIRTY, page_pinned
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """Background writeback has nothing to gain."""
    if sync:
        return WRITE_DIRTY
    return SKIP


@kernel
def reclaim_may_release(page: Page) -> bool:
    """A pinned page keeps its buffers."""
    return not page_pinned(page)
