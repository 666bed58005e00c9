"""unlink-waits: eviction waits until no page of a DAX file is pinned.

What 7.2 does (dax_break_layout_final()) and 4.20 to 6.12 did not: with it no block of a DAX file
has a second owner, whatever the design.

    pinlab check ./unlink_waits.py
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import READ_ONCE, kernel, u1
from pinlab.lab.linux.dax import dax_layout_busy_page, dax_truncate
from pinlab.lab.linux.design import dax_wait_idle
from pinlab.lab.linux.types import AddressSpace, Page

BASE = "refcount-bias"


@kernel
def ext4_evict_inode(mapping: AddressSpace, index: u1) -> None:
    """As in the model, behind dax_break_layout_final(): no lock, and no signal ends the wait."""
    while dax_layout_busy_page(mapping, index):
        dax_wait_idle(cast(Page, READ_ONCE(mapping.i_pages[index])))
    dax_truncate(mapping, index)
