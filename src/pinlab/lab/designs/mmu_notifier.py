"""mmu-notifier: no pin at all; the device faults, and its mapping goes when the CPU's does.

Source: Glisse, December 2018, on hardware with on-demand paging (case 3 of pin_user_pages.rst). GUP
only enters the page into the device's page table; write-protecting or unmapping the page takes it
out first and keeps it out until done. Between the two the ghost pin is what the device has mapped.

Known holes: needs such hardware.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    atomic_dec,
    atomic_inc,
    atomic_read,
    kernel,
    might_sleep,
    per_page,
    spin_lock_irq,
    spin_unlock_irq,
    spinlock,
    trace,
    xchg,
)
from pinlab.lab.linux.types import DEVICE_DATA, Page
from pinlab.objectives.events import Event

device_maps = per_page(0, 1, bytes=0)
"""The device's page table, by page."""
invalidating = per_page(0, 3, bytes=0)
"""Invalidations under way: no page enters the device's table meanwhile."""
device_lock = spinlock()


@kernel
def grab_page(page: Page) -> bool:
    """Enter it, unless somebody is taking it away. Page table lock held: the CPU's entry is there,
    and whoever changes it later has still to begin invalidating."""
    spin_lock_irq(device_lock)
    entered = False
    if atomic_read(invalidating[page]) == 0:
        if xchg(device_maps[page], 1) == 0:
            trace(Event.PIN, page)
        entered = True
    spin_unlock_irq(device_lock)
    return entered


@kernel
def grab_page_fast(page: Page) -> bool:
    """The driver's fault handler uses slow GUP (get_user_pages_remote() in 4.20's umem_odp.c)."""
    return False


@kernel
def undo_grab(page: Page) -> None:
    """Nothing was taken."""


@kernel
def pin_begins(page: Page) -> None:
    """Said where the device's table changes."""


@kernel
def remove(page: Page) -> None:
    """Out of the device's table: it stores no more when this returns. device_lock held."""
    if xchg(device_maps[page], 0) == 1:
        trace(Event.UNPIN, page)


@kernel
def release_page(page: Page) -> None:
    """The transfer is over."""
    spin_lock_irq(device_lock)
    remove(page)
    spin_unlock_irq(device_lock)


@kernel
def pin_ends(page: Page) -> None:
    """Said where the device's table changes."""


@kernel
def pin_holds(page: Page) -> bool:
    """Only while the device's entry is there."""
    return bool(READ_ONCE(device_maps[page]) == 1)


@kernel
def mmu_notifier_invalidate_range_start(page: Page) -> None:
    """Out, and stay out. The callbacks of 4.20's users take mutexes: hmm.c, umem_odp.c."""
    might_sleep()
    if page != NULL:
        spin_lock_irq(device_lock)
        atomic_inc(invalidating[page])
        remove(page)
        spin_unlock_irq(device_lock)


@kernel
def mmu_notifier_invalidate_range_end(page: Page) -> None:
    """May come back, through a fault."""
    if page != NULL:
        atomic_dec(invalidating[page])


@kernel
def holder_dirties(page: Page) -> bool:
    """The fault that gave the device its entry made the CPU's dirty, and told the file system."""
    return False


@kernel
def device_store(page: Page) -> bool:
    """Through the device's table; without an entry the device faults."""
    spin_lock_irq(device_lock)
    stored = False
    if READ_ONCE(device_maps[page]) == 1:
        WRITE_ONCE(page.data, DEVICE_DATA)
        trace(Event.DEV_STORE, page)
        stored = True
    spin_unlock_irq(device_lock)
    return stored
