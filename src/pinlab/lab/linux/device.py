"""A device that stores into a page while its DMA is in flight: at any time, without a lock."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    bounded,
    kernel,
    spin_lock,
    spin_unlock,
    spinlock,
    u1,
    wait_event,
)
from pinlab.lab.linux.design import device_store
from pinlab.lab.linux.gup import get_user_pages_fast
from pinlab.lab.linux.types import PAGES, Mm, Page, Vma

IDLE, IN_FLIGHT, DONE, DEFERRED, RELEASED = 0, 1, 2, 3, 4

dma_state = bounded(IDLE, RELEASED, order="device")
dma_page = bounded(0, PAGES, order="device")
dma_engine = spinlock(order="device")
"""A device stores while it holds it; stopping the device waits for a store under way."""


@kernel
def start_dma(page: Page) -> None:
    """dma_map_page() and the doorbell."""
    WRITE_ONCE(dma_page, page)
    WRITE_ONCE(dma_state, IN_FLIGHT)


@kernel
def stop_dma() -> None:
    """dma_unmap_page(): the device stores no more when this returns."""
    spin_lock(dma_engine)
    WRITE_ONCE(dma_state, IDLE)
    spin_unlock(dma_engine)


@kernel
def one_shot_device(mm: Mm, vma: Vma, index: u1) -> None:
    """Stores once, some time between submission and completion, then completes.

    The arguments are the address the page came from: hardware that faults (no pin held) asks for
    the page there again.
    """
    wait_event(READ_ONCE(dma_state) == IN_FLIGHT)
    page = cast(Page, READ_ONCE(dma_page))
    while not device_store(page):
        page = get_user_pages_fast(mm, vma, index, 1)
        WRITE_ONCE(dma_page, page)
        if page == NULL:  # the transfer ends with an error
            WRITE_ONCE(dma_state, RELEASED)
            return
    WRITE_ONCE(dma_state, DONE)


@kernel
def streaming_device(mm: Mm, vma: Vma, index: u1) -> None:
    """Stores again and again for as long as its DMA is not stopped."""
    while True:
        wait_event(READ_ONCE(dma_state) == IN_FLIGHT)
        spin_lock(dma_engine)
        stored = True
        if READ_ONCE(dma_state) == IN_FLIGHT:
            stored = device_store(cast(Page, READ_ONCE(dma_page)))
        spin_unlock(dma_engine)
        if not stored:
            get_user_pages_fast(mm, vma, index, 1)
