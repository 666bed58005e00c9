"""fault-does-not-wait: page_mkwrite() lets a store go ahead while the page is being written.

Without wait_for_stable_page() the disk reads a page that changes. Beside a design that keeps
devices away from pages under writeback, this brings the old hazard back by way of a write fault.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    down_read,
    kernel,
    static_branch,
    test_bit,
    trace,
    up_read,
)
from pinlab.lab.linux.buffer import create_empty_buffers, set_page_dirty
from pinlab.lab.linux.filemap import lock_page, unlock_page
from pinlab.lab.linux.keys import truncates
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event

BASE = "bounce"


@kernel
def page_mkwrite(mapping: AddressSpace, page: Page) -> bool:
    """As in the model, without its last line but two."""
    if static_branch(truncates):
        down_read(mapping.i_mmap_sem)
    lock_page(page)
    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        if static_branch(truncates):
            up_read(mapping.i_mmap_sem)
        return False
    trace(Event.FAULT_MKWRITE, page)
    if not test_bit(page.PagePrivate):
        create_empty_buffers(page)
    set_page_dirty(page)
    if static_branch(truncates):
        up_read(mapping.i_mmap_sem)
    return True
