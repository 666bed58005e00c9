"""A long-term pinner: a memory registration that stays. drivers/infiniband/core/umem.c, 4.20."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    flag,
    kernel,
    static_branch,
    trace,
    u1,
    wait_event,
)
from pinlab.lab.linux.design import vma_is_fsdax
from pinlab.lab.linux.device import start_dma, stop_dma
from pinlab.lab.linux.gup import get_user_pages_unlocked
from pinlab.lab.linux.keys import dax
from pinlab.lab.linux.swap import put_user_page, put_user_pages_dirty_lock
from pinlab.lab.linux.types import Mm, Page, Vma
from pinlab.objectives.events import Event

lease_break = flag(order="device")
"""A design asks the holder to let go. Nobody sets it in 4.20."""


@kernel
def get_user_pages_longterm(mm: Mm, vma: Vma, index: u1) -> Page:
    """mm/gup.c: not for DAX (-EOPNOTSUPP), whose pages are blocks; found out after the pin."""
    page = get_user_pages_unlocked(mm, vma, index, 1)
    if page == NULL:
        return page
    if vma_is_fsdax(vma):
        put_user_page(page)
        return cast(Page, NULL)
    if static_branch(dax):
        trace(Event.PIN_LONGTERM_DAX, page)
    return page


@kernel
def ib_umem_release(page: Page) -> None:
    """drivers/infiniband/core/umem.c, behind the driver that has stopped the device: every page is
    dirtied, as the device may have stored, and let go."""
    stop_dma()
    put_user_pages_dirty_lock(page)


@kernel
def ib_umem_get(mm: Mm, vma: Vma, index: u1) -> None:
    """Pin, let the device stream into the page, hold on; let go only if asked to."""
    page = get_user_pages_longterm(mm, vma, index)
    if page == NULL:
        return
    start_dma(page)
    wait_event(READ_ONCE(lease_break))
    ib_umem_release(page)
