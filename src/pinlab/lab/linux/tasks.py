"""The threads that scenarios start: user programs and kernel threads, each calling the model."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    kernel,
    local_irq_disable,
    local_irq_enable,
    page_walk,
    smp_processor_id,
    spin_until,
    trace,
    u1,
    u2,
    u3,
    wait_event,
)
from pinlab.lab.linux.buffer import set_page_dirty_lock
from pinlab.lab.linux.design import (
    device_store,
    get_page,
    holder_dirties,
    pin_holds,
    put_page,
)
from pinlab.lab.linux.device import DONE, IN_FLIGHT, RELEASED, dma_state, start_dma
from pinlab.lab.linux.direct_io import do_direct_IO
from pinlab.lab.linux.fork import dup_mmap, munmap
from pinlab.lab.linux.ghost import FAILED, STORED, owner_pin, told
from pinlab.lab.linux.gup import __get_user_pages_fast, get_user_pages_fast, get_user_pages_unlocked
from pinlab.lab.linux.memory import FAULT_SIGBUS, do_user_addr_fault
from pinlab.lab.linux.page_writeback import write_cache_pages
from pinlab.lab.linux.rdma import get_user_pages_longterm, ib_umem_release
from pinlab.lab.linux.swap import (
    put_user_page,
    put_user_pages,
    put_user_pages_dirty,
    put_user_pages_dirty_lock,
)
from pinlab.lab.linux.tlb import tlb
from pinlab.lab.linux.truncate import ext4_evict_inode, iomap_dio_rw
from pinlab.lab.linux.types import (
    CPU_DATA,
    DEVICE_DATA,
    OLD,
    AddressSpace,
    Mm,
    Page,
    Vma,
    disk,
    pte_none,
    pte_page,
    pte_write,
)
from pinlab.lab.linux.vmscan import shrink_page_list
from pinlab.objectives.events import Event


@kernel
def read_back(mapping: AddressSpace, index: u1) -> None:
    """Who reads the file after a crash: gets what the last fsync put on the disk.

    The events are of page 1, whatever page the data was lost from.
    """
    block = READ_ONCE(mapping.block[index])
    if READ_ONCE(disk[block]) == DEVICE_DATA:
        trace(Event.READ_FRESH, cast(Page, 1))
    else:
        trace(Event.READ_STALE, cast(Page, 1))


@kernel
def aio_read(mm: Mm, vma: Vma, index: u1) -> None:
    """A program reads by O_DIRECT into a page and is content."""
    do_direct_IO(mm, vma, index)


@kernel
def aio_read_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """A program reads by O_DIRECT into its mapping of a file, calls fsync, and looks at the disk:
    the DMA's data must be there."""
    if do_direct_IO(mm, vma, index):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def aio_read_two(mm: Mm, vma: Vma) -> None:
    """O_DIRECT read into two pages mapped in reverse order: page 1 of the file, then page 0. Left
    out: the DMA; both pins go when it would be over."""
    second = get_user_pages_fast(mm, vma, 1, 1)
    first = get_user_pages_fast(mm, vma, 0, 1)
    if first != NULL:
        put_user_page(first)
    if second != NULL:
        put_user_page(second)


@kernel
def pin_for_store(mm: Mm, vma: Vma, index: u1) -> Page:
    """A driver pins a page, and its device stores there at once. NULL: there is none."""
    page = get_user_pages_fast(mm, vma, index, 1)
    while page != NULL and not device_store(page):
        page = get_user_pages_fast(mm, vma, index, 1)
    return page


@kernel
def store_then_dirty(mm: Mm, vma: Vma, index: u1) -> bool:
    """Who calls put_user_pages_dirty() when the device has stored: late, and without a lock.
    False: it got no page, and nothing was stored. So below."""
    page = pin_for_store(mm, vma, index)
    if page == NULL:
        return False
    put_user_pages_dirty(page)
    return True


@kernel
def store_then_dirty_lock(mm: Mm, vma: Vma, index: u1) -> bool:
    """Who calls put_user_pages_dirty_lock() then."""
    page = pin_for_store(mm, vma, index)
    if page == NULL:
        return False
    put_user_pages_dirty_lock(page)
    return True


@kernel
def store_then_forget(mm: Mm, vma: Vma, index: u1) -> bool:
    """Who never says that the device has stored."""
    page = pin_for_store(mm, vma, index)
    if page == NULL:
        return False
    put_user_pages(page)
    return True


@kernel
def dirty_then_store(mm: Mm, vma: Vma, index: u1) -> bool:
    """Who dirties the page before the device stores, with the lock, and not again."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page != NULL and holder_dirties(page):
        set_page_dirty_lock(page)
    while page != NULL and not device_store(page):
        page = get_user_pages_fast(mm, vma, index, 1)
    if page == NULL:
        return False
    put_user_pages(page)
    return True


@kernel
def dirty_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """store_then_dirty(), then fsync: what the device stored, if it did, must be on the disk."""
    if store_then_dirty(mm, vma, index):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def dirty_lock_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """store_then_dirty_lock(), likewise."""
    if store_then_dirty_lock(mm, vma, index):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def forget_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """store_then_forget(), likewise."""
    if store_then_forget(mm, vma, index):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def dirty_early_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """dirty_then_store(), likewise."""
    if dirty_then_store(mm, vma, index):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def dirty_and_flush(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """store_then_dirty(), then sync_file_range(SYNC_FILE_RANGE_WRITE), which waits for nobody."""
    if store_then_dirty(mm, vma, index):
        write_cache_pages(mapping, False)


@kernel
def send(mm: Mm, vma: Vma, index: u1) -> None:
    """A device reads from the page: a pin for reading, which ends without a word of dirtiness."""
    page = get_user_pages_fast(mm, vma, index, 0)
    if page != NULL:
        put_user_pages(page)


@kernel
def do_fsync(mapping: AddressSpace, index: u1) -> None:
    """fsync(2) of a file whose page was dirtied by a CPU before: at the end the disk must not have
    the old data any more."""
    write_cache_pages(mapping, True)
    block = READ_ONCE(mapping.block[index])
    if READ_ONCE(disk[block]) == OLD:
        trace(Event.READ_STALE, cast(Page, 1))


@kernel
def fsync_only(mapping: AddressSpace) -> None:
    """fsync(2) and nothing else."""
    write_cache_pages(mapping, True)


@kernel
def wb_workfn(mapping: AddressSpace) -> None:
    """The flusher: one round of background writeback."""
    write_cache_pages(mapping, False)


@kernel
def fsync_forever(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """A program that stores to its mapping and calls fsync, again and again."""
    while True:
        do_user_addr_fault(mm, vma, index, 1)
        write_cache_pages(mapping, True)


@kernel
def flusher_then_kswapd(mapping: AddressSpace, page: Page) -> None:
    """Memory pressure: the flusher cleans the page, kswapd tries to free it. One thread for the
    two, as reclaim gets further the later it comes."""
    write_cache_pages(mapping, False)
    shrink_page_list(mapping, page)


@kernel
def try_store(vma: Vma, index: u1, data: u2) -> bool:
    """One store instruction, with the walk that fills the TLB: no interrupt gets between, so a
    flush that interrupts this CPU finds it before or after."""
    cpu = smp_processor_id()
    local_irq_disable()
    entry = READ_ONCE(tlb[cpu])
    if pte_none(entry):
        entry = page_walk(vma.pte[index])
        WRITE_ONCE(tlb[cpu], entry)
    stored = False
    if pte_write(entry):
        page = pte_page(entry)
        WRITE_ONCE(page.data, data)
        stored = True
    else:
        WRITE_ONCE(tlb[cpu], 0)
    local_irq_enable()
    return stored


@kernel
def user_store(mm: Mm, vma: Vma, index: u1, data: u2) -> bool:
    """A store of user code, faulting until it may. False: SIGBUS, nothing was stored."""
    while not try_store(vma, index, data):
        if do_user_addr_fault(mm, vma, index, 1) == FAULT_SIGBUS:
            return False
    return True


@kernel
def store(mm: Mm, vma: Vma, index: u1) -> None:
    """A thread stores."""
    user_store(mm, vma, index, CPU_DATA)


@kernel
def pin_and_store(mm: Mm, vma: Vma, index: u1) -> None:
    """A program pins its page, and stores there itself before it lets go: its fault must not wait
    for who waits for its pin."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page != NULL:
        user_store(mm, vma, index, CPU_DATA)
        put_user_page(page)


@kernel
def store_and_tell(mm: Mm, vma: Vma, index: u1) -> None:
    """A thread stores, and says so to another one."""
    if user_store(mm, vma, index, CPU_DATA):
        WRITE_ONCE(told, STORED)
    else:
        WRITE_ONCE(told, FAILED)


@kernel
def try_load(vma: Vma, index: u1) -> u3:
    """One load instruction, as try_store(): 1 + what is there, or 0 where nothing is mapped."""
    cpu = smp_processor_id()
    local_irq_disable()
    entry = READ_ONCE(tlb[cpu])
    if pte_none(entry):
        entry = page_walk(vma.pte[index])
        WRITE_ONCE(tlb[cpu], entry)
    loaded: u3 = 0
    if not pte_none(entry):
        page = pte_page(entry)
        loaded = 1 + READ_ONCE(page.data)
    local_irq_enable()
    return loaded


@kernel
def load_when_told(vma: Vma, index: u1) -> None:
    """The other one looks, and looks again when it was told: then the store is there, by whatever
    entry it loads. Left out: the fault where nothing is mapped."""
    try_load(vma, index)
    wait_event(READ_ONCE(told) != 0)
    if READ_ONCE(told) == STORED:
        assert try_load(vma, index) != 1 + OLD


@kernel
def store_twice(mm: Mm, vma: Vma, index: u1) -> None:
    """A thread stores, and stores something newer by the entry that its TLB has then."""
    if user_store(mm, vma, index, CPU_DATA):
        user_store(mm, vma, index, DEVICE_DATA)


@kernel
def store_while_mapped(vma: Vma, index: u1) -> None:
    """A thread stores to a page on DAX, again if it may. Left out: the fault of a page that is not
    mapped any more, which truncate leaves with SIGBUS."""
    if try_store(vma, index, CPU_DATA):
        try_store(vma, index, DEVICE_DATA)


@kernel
def store_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """A program stores the newest data, calls fsync, and looks at the disk."""
    if user_store(mm, vma, index, DEVICE_DATA):
        write_cache_pages(mapping, True)
        read_back(mapping, index)


@kernel
def write_fault(mm: Mm, vma: Vma, index: u1) -> None:
    """Another process stores to its mapping of the page."""
    do_user_addr_fault(mm, vma, index, 1)


@kernel
def read_fault(mm: Mm, vma: Vma, index: u1) -> None:
    """Another process reads its mapping of the page."""
    do_user_addr_fault(mm, vma, index, 0)


@kernel
def pin_fork_store(mm: Mm, new: Mm, vma: Vma, child: Vma, index: u1) -> None:
    """Pins its anonymous page for a device, forks, then stores there itself."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page == NULL:
        return
    WRITE_ONCE(owner_pin, page)
    dup_mmap(mm, new, vma, child, index)
    write_fault(mm, vma, index)
    WRITE_ONCE(owner_pin, 0)
    put_user_pages_dirty_lock(page)


@kernel
def vmsplice_and_unmap(mm: Mm, vma: Vma, index: u1) -> None:
    """The child of a fork keeps a page of its parent in a pipe, unmaps it, and reads the pipe."""
    page = get_user_pages_unlocked(mm, vma, index, 0)
    if page == NULL:
        return
    munmap(mm, vma, index)
    if pin_holds(page):
        if READ_ONCE(page.data) != OLD:
            trace(Event.COW_LEAK, page)
    put_user_page(page)


@kernel
def atomic_gup(vma: Vma, index: u1) -> None:
    """__get_user_pages_fast() by a caller that is atomic itself."""
    local_irq_disable()
    page = __get_user_pages_fast(vma, index, 1)
    local_irq_enable()
    if page != NULL:
        put_user_page(page)


@kernel
def pin_then_wait(mm: Mm, vma: Vma, index: u1) -> None:
    """Takes a pin in process context; its completion drops it."""
    page = get_user_pages_unlocked(mm, vma, index, 1)
    WRITE_ONCE(owner_pin, page)
    wait_event(READ_ONCE(dma_state) == RELEASED)


@kernel
def pin_then_unpin(mm: Mm, vma: Vma, index: u1) -> None:
    """Takes a pin in process context and drops it there."""
    page = get_user_pages_unlocked(mm, vma, index, 1)
    if page != NULL:
        put_user_page(page)


@kernel
def unpin_in_irq() -> None:
    """The interrupt that drops that pin."""
    spin_until(READ_ONCE(owner_pin) != 0)
    page = cast(Page, READ_ONCE(owner_pin))
    put_user_page(page)
    WRITE_ONCE(dma_state, RELEASED)


@kernel
def take_and_drop(page: Page) -> None:
    """Somebody who looks at the page for a while: follow_page(FOLL_GET), /proc/kpage*, a file
    system. A plain reference, taken and dropped."""
    get_page(page)
    put_page(page)


@kernel
def dax_read(mm: Mm, vma: Vma, index: u1) -> None:
    """O_DIRECT read into a DAX mapping. DAX pages are not dirtied: no page is written back."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page == NULL:
        return
    start_dma(page)
    wait_event(READ_ONCE(dma_state) >= DONE)
    put_user_page(page)


@kernel
def register_and_release(mm: Mm, vma: Vma, index: u1) -> None:
    """A program that registers memory, and gives the registration back while the device works."""
    page = get_user_pages_longterm(mm, vma, index)
    if page == NULL:
        return
    start_dma(page)
    ib_umem_release(page)


@kernel
def munmap_unlinked(mapping: AddressSpace, mm: Mm, vma: Vma, index: u1) -> None:
    """A program unmaps a file that is unlinked and closed: its mapping was the last to keep it."""
    munmap(mm, vma, index)
    ext4_evict_inode(mapping, index)


@kernel
def pin_unpin(mm: Mm, vma: Vma, index: u1) -> None:
    """A second user of GUP: looks at the page and lets go again, without storing."""
    page = get_user_pages_fast(mm, vma, index, 1)
    if page != NULL:
        put_user_page(page)


@kernel
def direct_write_once_pinned(mapping: AddressSpace, index: u1) -> None:
    """An O_DIRECT write to the file by somebody who comes when the page has been pinned."""
    wait_event(READ_ONCE(dma_state) == IN_FLIGHT)
    iomap_dio_rw(mapping, index)
