"""bounce: fsync writes a copy of a pinned page, which stays dirty; background writeback skips it.

Source: Kara, December 2018: clear_page_dirty_for_io() hands out a bounce page; never let a pinned
page become clean. `bounce-2023` is what was sent later.

Known holes: the copy can be torn by a store while it is made; it does not change under the disk,
and that is what checksums ask for. A page that stays dirty cannot be invalidated: a direct write
to the file leaves old data in the cache (I4, as D12).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import allocate, kernel, u3
from pinlab.lab.linux.design import BOUNCE_DIRTY, SKIP, page_pinned
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """The copy is made under the page lock, after page_mkclean()."""
    if not sync:
        return SKIP
    allocate()
    return BOUNCE_DIRTY


@kernel
def reclaim_may_release(page: Page) -> bool:
    """A pinned page keeps its buffers: it will be dirtied again."""
    return not page_pinned(page)
