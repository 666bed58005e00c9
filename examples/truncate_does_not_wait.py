"""truncate-does-not-wait: truncate takes a page out of its file while it is being written.

No scenario of the package plays fsync beside truncate, so alone this patch changes no verdict.
With a scenario and an objective of one's own it does:

    pinlab check ./written_out.py+./fsync_beside_truncate.py+./truncate_does_not_wait.py
"""

from __future__ import annotations

from pinlab.lab.language.kernel import NULL, READ_ONCE, kernel, u1
from pinlab.lab.linux.design import truncate_waits
from pinlab.lab.linux.filemap import delete_from_page_cache, lock_page, page_mapped, unlock_page
from pinlab.lab.linux.truncate import cancel_dirty_page, do_invalidatepage, unmap_mapping_range
from pinlab.lab.linux.types import AddressSpace, Page


@kernel
def truncate_inode_page(mapping: AddressSpace, index: u1, page: Page) -> bool:
    """As in the model, without wait_on_page_writeback()."""
    lock_page(page)
    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        return True
    if truncate_waits(page):
        unlock_page(page)
        return False
    if page_mapped(page):
        unmap_mapping_range(mapping, index, page)
    do_invalidatepage(mapping, page)
    cancel_dirty_page(page)
    delete_from_page_cache(mapping, page)
    unlock_page(page)
    return True
