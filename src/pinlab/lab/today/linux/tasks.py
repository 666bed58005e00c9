"""The threads that operations start: user programs and kernel threads, each calling the model."""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    NULL,
    READ_ONCE,
    WRITE_ONCE,
    down_read,
    kernel,
    local_irq_disable,
    local_irq_enable,
    page_walk,
    smp_processor_id,
    static_branch,
    test_bit,
    trace,
    u2,
    u4,
    u5,
    up_read,
)
from pinlab.lab.layout import CPU_DATA, DEVICE_DATA
from pinlab.lab.today.linux.bio import iomap_dio_rw
from pinlab.lab.today.linux.ext4 import ext4_writepages
from pinlab.lab.today.linux.ghost import look_at_owner
from pinlab.lab.today.linux.gup import (
    FOLL_GET,
    FOLL_LONGTERM,
    FOLL_PIN,
    FOLL_WRITE,
    __get_user_pages,
    gup_fast_fallback,
    gup_put_folio,
    unpin_user_page,
    unpin_user_pages_dirty_lock,
)
from pinlab.lab.today.linux.memory import (
    FAULT_FLAG_WRITE,
    VM_FAULT_SIGBUS,
    handle_mm_fault,
    madvise_dontneed,
)
from pinlab.lab.today.linux.tlb import tlb
from pinlab.lab.today.linux.types import (
    PMD_NONE,
    AddressSpace,
    Folio,
    Mm,
    Vma,
    disk,
    mk_pte,
    page_folio,
    pmd_leaf,
    pmd_page,
    pte_none,
    pte_page,
    pte_present,
    pte_write,
)
from pinlab.lab.today.linux.vmscan import shrink_active_list, shrink_folio_list
from pinlab.objectives.events import Event


@kernel
def read_back(mapping: AddressSpace) -> None:
    """Who reads the file after a crash: gets what the last fsync put on the disk, if the file still
    has the page.

    The events are of folio 1, whatever folio the data was lost from.
    """
    if READ_ONCE(mapping.i_size) == 1:
        if READ_ONCE(disk[1]) == DEVICE_DATA:
            trace(Event.READ_FRESH, cast(Folio, 1))
        else:
            trace(Event.READ_STALE, cast(Folio, 1))


@kernel
def aio_read(mm: Mm, vma: Vma) -> None:
    """A program reads by O_DIRECT into a page and is content."""
    iomap_dio_rw(mm, vma)


@kernel
def aio_read_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma) -> None:
    """A program reads by O_DIRECT into its mapping of a file, calls fsync, and looks at the disk:
    the DMA's data must be there."""
    if iomap_dio_rw(mm, vma):
        ext4_writepages(mapping, True)
        read_back(mapping)


@kernel
def pin_unpin(mm: Mm, vma: Vma, flags: u4) -> None:
    """A driver pins a page and lets go; if it was for writing it dirties it. Of a pin for reading
    of a file's page, not long-term, nobody is promised that a store of the owner reaches it."""
    page = gup_fast_fallback(mm, vma, flags)
    if page == NULL:
        return
    folio = page_folio(page)
    if test_bit(folio.PG_anon) or flags & FOLL_LONGTERM:
        look_at_owner(mm, vma, page)
    if flags & FOLL_WRITE:
        unpin_user_pages_dirty_lock(page)
    else:
        unpin_user_page(page)


@kernel
def pin_unpin_slow(mm: Mm, vma: Vma) -> None:
    """mm/gup.c pin_user_pages() for writing, which never takes the fast way; then it lets go."""
    page = __get_user_pages(mm, vma, FOLL_WRITE | FOLL_PIN)
    if page == NULL:
        return
    trace(Event.PIN, page_folio(page))
    unpin_user_pages_dirty_lock(page)


@kernel
def vmsplice(mm: Mm, vma: Vma) -> None:
    """fs/splice.c vmsplice_to_pipe(): a plain reference to a page that is read; the program unmaps
    it and looks into the pipe, where nothing may change that others store."""
    page = gup_fast_fallback(mm, vma, FOLL_GET)
    if page == NULL:
        return
    folio = page_folio(page)
    before = READ_ONCE(page.data)
    madvise_dontneed(mm, vma)
    if READ_ONCE(page.data) != before:
        trace(Event.COW_LEAK, folio)
    trace(Event.UNPIN, folio)
    gup_put_folio(folio, FOLL_GET)


@kernel
def load_then_store(mm: Mm, vma: Vma) -> None:
    """A thread of user code reads, then stores."""
    fault(mm, vma, 0)
    store(mm, vma)


@kernel
def fsync(mapping: AddressSpace) -> None:
    """fsync(2)."""
    ext4_writepages(mapping, True)


@kernel
def wb_workfn(mapping: AddressSpace) -> None:
    """fs/fs-writeback.c wb_workfn(): one round of background writeback."""
    ext4_writepages(mapping, False)


@kernel
def flusher_then_kswapd(mapping: AddressSpace, folio: Folio) -> None:
    """Memory pressure: the flusher cleans the folio, kswapd tries to free it. One thread for the
    two, as reclaim gets further the later it comes."""
    ext4_writepages(mapping, False)
    shrink_folio_list(folio)


@kernel
def flusher_then_active_list(mapping: AddressSpace, folio: Folio) -> None:
    """The flusher cleans the folio, then the active list is scanned, as above."""
    ext4_writepages(mapping, False)
    shrink_active_list(folio)


@kernel
def fault(mm: Mm, vma: Vma, flags: u2) -> None:
    """A thread of another program touches its mapping."""
    down_read(mm.mmap_lock)
    handle_mm_fault(vma, flags)
    up_read(mm.mmap_lock)


@kernel
def walk(vma: Vma) -> u5:
    """What a walk by the hardware puts into the TLB; 0: a fault."""
    if not static_branch(vma.VM_FILE):
        pmd = page_walk(vma.pmd)
        if pmd_leaf(pmd):
            return mk_pte(pmd_page(pmd), 1)
        if pmd == PMD_NONE:
            return 0
    entry = page_walk(vma.pte)
    if not pte_present(entry):
        entry = 0
    return entry


@kernel
def try_store(vma: Vma, data: u2) -> bool:
    """One store instruction, with the walk that fills the TLB: no interrupt gets between, so a
    flush that interrupts this CPU finds it before or after."""
    cpu = smp_processor_id()
    local_irq_disable()
    entry = READ_ONCE(tlb[cpu])
    if pte_none(entry):
        entry = walk(vma)
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
def user_store(mm: Mm, vma: Vma, data: u2) -> bool:
    """A store of user code, faulting until it may. False: SIGBUS, nothing was stored."""
    while not try_store(vma, data):
        down_read(mm.mmap_lock)
        failed = handle_mm_fault(vma, FAULT_FLAG_WRITE) == VM_FAULT_SIGBUS
        up_read(mm.mmap_lock)
        if failed:
            return False
    return True


@kernel
def store(mm: Mm, vma: Vma) -> None:
    """A thread of user code stores once."""
    user_store(mm, vma, CPU_DATA)


@kernel
def store_and_verify(mapping: AddressSpace, mm: Mm, vma: Vma) -> None:
    """A thread stores what read_back() looks for, calls fsync, and looks at the disk."""
    if user_store(mm, vma, DEVICE_DATA):
        ext4_writepages(mapping, True)
        read_back(mapping)
