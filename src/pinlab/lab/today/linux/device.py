"""A device that stores into a page while its DMA is in flight: at any time, without a lock."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    bounded,
    kernel,
    trace,
    wait_event,
)
from pinlab.lab.layout import DEVICE_DATA
from pinlab.lab.today.linux.ghost import look_at_owner
from pinlab.lab.today.linux.types import PAGES, Mm, Page, Vma, page_folio
from pinlab.objectives.events import Event

IDLE, IN_FLIGHT, DONE, DEFERRED, RELEASED = 0, 1, 2, 3, 4

dma_state = bounded(IDLE, RELEASED, order="device")
dma_page = bounded(0, PAGES, order="device")


@kernel
def start_dma(page: Page) -> None:
    """include/linux/dma-mapping.h dma_map_page(), and the doorbell."""
    WRITE_ONCE(dma_page, page)
    WRITE_ONCE(dma_state, IN_FLIGHT)


@kernel
def device_store(page: Page) -> None:
    """The device stores into the page."""
    WRITE_ONCE(page.data, DEVICE_DATA)
    trace(Event.DEV_STORE, page_folio(page))


@kernel
def one_shot_device(mm: Mm, vma: Vma) -> None:
    """Stores once, some time between submission and completion, then completes: what it stored must
    be where the program that asked for it looks."""
    wait_event(READ_ONCE(dma_state) == IN_FLIGHT)
    page = cast(Page, READ_ONCE(dma_page))
    device_store(page)
    look_at_owner(mm, vma, page)
    WRITE_ONCE(dma_state, DONE)
