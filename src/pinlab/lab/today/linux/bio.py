"""An asynchronous O_DIRECT read into user memory. block/bio.c, fs/iomap/direct-io.c, 7.2.

One bio of one page. Left out: the file that is read from, errors, the synchronous variant (which
waits for the same end of I/O).
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    kernel,
    mutex_lock,
    mutex_unlock,
    spin_until,
    test_bit,
    u4,
    wait_event,
)
from pinlab.lab.today.linux.buffer import folio_mark_dirty
from pinlab.lab.today.linux.device import (
    DEFERRED,
    DONE,
    RELEASED,
    dma_page,
    dma_state,
    start_dma,
)
from pinlab.lab.today.linux.gup import FOLL_PIN, FOLL_WRITE, gup_fast_fallback, unpin_user_page
from pinlab.lab.today.linux.types import Mm, Page, Vma, page_folio


@kernel
def iov_iter_extract_user_pages(mm: Mm, vma: Vma) -> Page:
    """lib/iov_iter.c iov_iter_extract_user_pages(): a pin, since 6.3 (6.5 for all of block)."""
    flags: u4 = FOLL_WRITE | FOLL_PIN
    return gup_fast_fallback(mm, vma, flags)


@kernel
def bio_release_page(page: Page) -> None:
    """block/bio.c __bio_release_pages(), mm/gup.c unpin_user_folio()."""
    unpin_user_page(page)


@kernel
def bio_set_pages_dirty(page: Page) -> None:
    """block/bio.c bio_set_pages_dirty(): before the I/O, with the folio lock."""
    folio = page_folio(page)
    mutex_lock(folio.PG_locked)
    folio_mark_dirty(folio)
    mutex_unlock(folio.PG_locked)


@kernel
def iomap_dio_rw(mm: Mm, vma: Vma) -> bool:
    """fs/iomap/direct-io.c iomap_dio_bio_iter(), a read: pin, dirty, submit; then io_getevents().
    False: no page, nothing was submitted."""
    page = iov_iter_extract_user_pages(mm, vma)
    if page == NULL:
        WRITE_ONCE(dma_state, RELEASED)
        return False
    bio_set_pages_dirty(page)
    start_dma(page)
    wait_event(READ_ONCE(dma_state) == RELEASED)
    return True


@kernel
def bio_check_pages_dirty() -> None:
    """block/bio.c bio_check_pages_dirty(), in the interrupt of completion: a page that is dirty
    still is let go of here, one that was cleaned meanwhile goes to the worker."""
    spin_until(READ_ONCE(dma_state) == DONE)
    page = cast(Page, READ_ONCE(dma_page))
    folio = page_folio(page)
    if test_bit(folio.PG_dirty):
        bio_release_page(page)
        WRITE_ONCE(dma_state, RELEASED)
    else:
        WRITE_ONCE(dma_state, DEFERRED)


@kernel
def bio_dirty_fn() -> None:
    """block/bio.c bio_dirty_fn(), the worker: dirty, then let go."""
    wait_event(READ_ONCE(dma_state) == DEFERRED)
    page = cast(Page, READ_ONCE(dma_page))
    bio_set_pages_dirty(page)
    bio_release_page(page)
    WRITE_ONCE(dma_state, RELEASED)
