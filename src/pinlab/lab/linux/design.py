"""What the model offers to a design: hooks whose default bodies are 4.20 as it was.

A design is a module with `@kernel` functions of these names, and its own per_page fields and
globals. Detection and policy are separate sets of hooks: a policy module names its detector in
`BASE`, and replaces only hooks of the second half. Which context each hook is called in is part of
its contract, said in its docstring; the lab finds by itself a hook that sleeps where it must not.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_dec_and_test,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_read,
    hook,
    schedule,
    static_branch,
    trace,
    u3,
    wait_event,
)
from pinlab.lab.linux.keys import dax
from pinlab.lab.linux.page_alloc import free_unref_page
from pinlab.lab.linux.types import DEVICE_DATA, AddressSpace, Page, Vma
from pinlab.objectives.events import Event

# ------------------------------------------------------------------ references (any context)


@hook
def get_page(page: Page) -> None:
    """Take another reference; the caller has one, or a lock that keeps one. include/linux/mm.h."""
    atomic_inc(page._refcount)


@hook
def put_page(page: Page) -> None:
    """Drop a reference, free the page with the last one. include/linux/mm.h; any context."""
    if atomic_dec_and_test(page._refcount):
        trace(Event.PAGE_FREE, page)
        free_unref_page(page)


# ---------------------------------------------------------------- detection: pin and unpin


@hook
def gup_begin(mapping: AddressSpace) -> None:
    """Once per get_user_pages() call, before the walk; may sleep, mmap_sem is held for reading."""


@hook
def gup_end(mapping: AddressSpace, got: bool) -> None:
    """After the walk of the same call; whether it got its page."""


@hook
def grab_page(page: Page) -> bool:
    """The pin of slow GUP, page table lock held. False: undone; GUP drops its locks, waits for the
    page's writeback and walks again."""
    get_page(page)
    return True


@hook
def grabbed_page(page: Page) -> bool:
    """Slow GUP again, after the page table lock is dropped; may sleep, mmap_sem is held. False:
    undone, GUP walks again."""
    return True


@hook
def grab_page_fast(page: Page) -> bool:
    """The pin of GUP-fast: interrupts off, nothing but the PTE says that the page exists.
    False: undone, GUP-fast gives up and the slow path follows."""
    return atomic_inc_not_zero(page._refcount)


@hook
def grabbed_page_fast(page: Page) -> bool:
    """GUP-fast again, with interrupts as its caller had them. False: undone, slow path."""
    return True


@hook
def undo_grab(page: Page) -> None:
    """GUP-fast saw the PTE change after the grab: drop what grab_page_fast() took, and no more.
    Interrupts off. A design that replaces the one replaces the other."""
    put_page(page)


@hook
def release_page(page: Page) -> None:
    """put_user_page(): any context, interrupts too."""
    put_page(page)


@hook
def pin_begins(page: Page) -> None:
    """Ghost: from now on the caller may use the page. Not for designs that keep a reference."""
    trace(Event.PIN, page)


@hook
def pin_ends(page: Page) -> None:
    """Ghost: the caller is done with the page and about to release it."""
    trace(Event.UNPIN, page)


@hook
def pin_holds(page: Page) -> bool:
    """Ghost: whether a pin taken before still gives its holder the page; a reference does."""
    return True


# ------------------------------------------------------------------- detection: the answer


@hook
def mkclean_begin(page: Page) -> None:
    """page_mkclean() starts: page lock held, may sleep."""


@hook
def rmap_walk_visits(vma: Vma) -> bool:
    """Whether page_mkclean() looks at this mapping. !invalid_mkclean_vma(): shared ones only.
    Others are counted, never changed."""
    return static_branch(vma.VM_SHARED)


@hook
def mkclean_end(page: Page, mapped: u3, cleaned: u3) -> None:
    """page_mkclean() ends: `mapped` entries of visited mappings map the page, `cleaned` of them
    were write-protected."""


@hook
def page_pinned(page: Page) -> bool:
    """The detector's answer. Asked by writeback after page_mkclean(), page lock held, and by
    policies elsewhere."""
    return False


@hook
def writeback_started(page: Page, pinned: bool) -> bool:
    """The answer again, after PG_writeback is set; `pinned` is what page_pinned() said."""
    return pinned


# ------------------------------------------------------------------------------- policies

WRITE = 0
"""Write the page as it is."""
SKIP = 1
"""Leave it dirty."""
BOUNCE = 2
"""Write a copy."""
BOUNCE_DIRTY = 3
"""Write a copy and leave the page dirty."""
WRITE_DIRTY = 4
"""Write the page as it is and leave it dirty."""
WAIT = 5
"""Drop the page lock, wait_until_unpinned(), try again."""


@hook
def before_mkclean(page: Page, sync: bool) -> u3:
    """Writeback is about to call page_mkclean(), page lock held: WRITE, SKIP or WAIT."""
    return WRITE


@hook
def writeback_pinned(page: Page, sync: bool) -> u3:
    """What writeback does with a page that is said to be pinned: one of the above. `sync` is
    WB_SYNC_ALL. May sleep, page lock held."""
    return WRITE


@hook
def bounce_copy(page: Page) -> u3:
    """The copy of the page that a bounced write sends to the disk."""
    data: u3 = READ_ONCE(page.data)
    return data


@hook
def wait_until_unpinned(page: Page) -> None:
    """Sleep until the detector says that the page is not pinned. No lock held."""
    while page_pinned(page):
        schedule()


@hook
def reclaim_may_unmap(page: Page) -> bool:
    """Whether reclaim may go on with a page, before try_to_unmap(); page lock held."""
    return True


@hook
def reclaim_may_release(page: Page) -> bool:
    """Whether reclaim may take the buffers away, after try_to_unmap(); page lock held."""
    return True


@hook
def truncate_waits(page: Page) -> bool:
    """Truncate found the page, page lock held. True: drop the page lock, wait_until_unpinned(),
    look again."""
    return False


@hook
def still_mapped_when_deleted(page: Page) -> None:
    """unaccount_page_cache_page() finds page_mapped() true: VM_BUG_ON_PAGE in 4.20."""
    assert False


@hook
def dax_page_busy(page: Page) -> bool:
    """dax_busy_page(): more references than the device's own."""
    return atomic_read(page._refcount) > 1


@hook
def dax_wait_idle(page: Page) -> None:
    """___wait_var_event(&page->_refcount, ... == 1): put_devmap_managed_page() wakes."""
    wait_event(atomic_read(page._refcount) == 1)


# --------------------------------------------------------------------- devices and revoking


@hook
def vma_is_fsdax(vma: Vma) -> bool:
    """include/linux/fs.h: whether get_user_pages_longterm() must give back what it pinned."""
    return static_branch(dax)


@hook
def device_store(page: Page) -> bool:
    """The device stores into the page, if it still may; otherwise it faults and tries again."""
    WRITE_ONCE(page.data, DEVICE_DATA)
    trace(Event.DEV_STORE, page)
    return True


@hook
def holder_dirties(page: Page) -> bool:
    """Whether a holder dirties the page when its device is done (set_page_dirty_lock()). Not if
    every store went through an entry that a write fault made dirty."""
    return True


@hook
def mmu_notifier_invalidate_range_start(page: Page) -> None:
    """Entries for `page` are about to change; may sleep. Called with the page found so far."""


@hook
def mmu_notifier_invalidate_range_end(page: Page) -> None:
    """They have changed."""
