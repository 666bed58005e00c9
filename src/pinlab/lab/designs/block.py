"""block: fsync and truncate wait until a page is not pinned; background writeback skips it.

Source: Chinner's recipe for transient pins, December 2018.

Known holes: fsync waits with pages in its bio that a pin holder may itself be waiting for: deadlock
(B03; Kara, 20 December). A pin that is never dropped is waited for forever (I12).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, u3
from pinlab.lab.linux.design import SKIP, WAIT, page_pinned
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """write_cache_pages() waits, the page unlocked."""
    if sync:
        return WAIT
    return SKIP


@kernel
def truncate_waits(page: Page) -> bool:
    """And so does truncate."""
    return page_pinned(page)
