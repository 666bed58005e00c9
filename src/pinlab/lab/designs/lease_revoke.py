"""lease-revoke: whoever needs the page asks the pin's holder to let go, and waits for it.

Source: Chinner, December 2018, and Weiny's F_LAYOUT series, 2019: a pin is a lease that truncate
and writeback break; the holder stops its device, drops the pin, and pins anew by page_mkwrite().

Known holes: it needs a holder that reacts, and an ABI that was never agreed on. Short pins are
waited for as `block` does, with the same deadlock (B03).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import WRITE_ONCE, atomic_read, kernel, u3
from pinlab.lab.linux.design import SKIP, WAIT, page_pinned
from pinlab.lab.linux.rdma import lease_break
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """Fsync breaks the lease."""
    if not sync:
        return SKIP
    WRITE_ONCE(lease_break, 1)
    return WAIT


@kernel
def truncate_waits(page: Page) -> bool:
    """Truncate too."""
    if page_pinned(page):
        WRITE_ONCE(lease_break, 1)
        return True
    return False


@kernel
def dax_page_busy(page: Page) -> bool:
    """break_layouts() of a DAX file asks as well."""
    if atomic_read(page._refcount) > 1:
        WRITE_ONCE(lease_break, 1)
        return True
    return False


@kernel
def reclaim_may_release(page: Page) -> bool:
    """A pinned page keeps its buffers."""
    return not page_pinned(page)
