"""An asynchronous O_DIRECT read into user memory. fs/direct-io.c, block/bio.c, 4.20.

One bio of one page. Its completion runs in an interrupt: it drops the pin there if the page is
still dirty, and hands the page to a worker if it was cleaned meanwhile. Left out: the file that is
read from, submission errors, the synchronous variant (it completes in the task).
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    kernel,
    spin_until,
    static_branch,
    test_bit,
    u1,
    wait_event,
)
from pinlab.lab.linux.buffer import set_page_dirty_lock
from pinlab.lab.linux.design import holder_dirties
from pinlab.lab.linux.device import (
    DEFERRED,
    DONE,
    RELEASED,
    dma_page,
    dma_state,
    start_dma,
)
from pinlab.lab.linux.gup import get_user_pages_fast
from pinlab.lab.linux.keys import irq_unpin_works
from pinlab.lab.linux.swap import put_user_page
from pinlab.lab.linux.types import Mm, Page, Vma


@kernel
def do_direct_IO(mm: Mm, vma: Vma, index: u1) -> bool:
    """dio_refill_pages(), bio_set_pages_dirty(), submit_bio(); then io_getevents()."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page == NULL:
        WRITE_ONCE(dma_state, RELEASED)
        return False
    if holder_dirties(page):
        set_page_dirty_lock(page)
    start_dma(page)
    wait_event(READ_ONCE(dma_state) == RELEASED)
    return bool(READ_ONCE(dma_page) != 0)


@kernel
def bio_check_pages_dirty() -> None:
    """dio_bio_end_aio(), in the interrupt of completion: page dirty still: drop the pin here. A
    design whose unpin cannot run here leaves all pages to the worker."""
    spin_until(READ_ONCE(dma_state) == DONE)
    page = cast(Page, READ_ONCE(dma_page))
    if static_branch(irq_unpin_works):
        if not holder_dirties(page) or test_bit(page.PG_dirty):
            put_user_page(page)
            WRITE_ONCE(dma_state, RELEASED)
            return
    WRITE_ONCE(dma_state, DEFERRED)


@kernel
def bio_dirty_fn() -> None:
    """The worker: dirty what was cleaned while the DMA ran, then drop the pin."""
    wait_event(READ_ONCE(dma_state) == DEFERRED)
    page = cast(Page, READ_ONCE(dma_page))
    if holder_dirties(page):
        set_page_dirty_lock(page)
    put_user_page(page)
    WRITE_ONCE(dma_state, RELEASED)
