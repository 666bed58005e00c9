"""mapcount-v3: mappings without an entry, a flag, and a protocol against writeback.

Source: Glisse, 11 January 2019; the labels G, P, C, T are his. _mapcount is read before the walk
(C3) so that a zap in between only makes it look too high, and the flag says that somebody pinned
since. A pin that meets writeback half-way takes itself back (G6) or is seen by it (T3).

Known holes: private mappings are in _mapcount and not in the walk, so beside one the flag never
goes away (I13b); counting them instead loses a pin beside fork (D3). G5 would be too weak if the
flag and PG_writeback were no bits of one word. Truncate and others use _mapcount for what it was
made for.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_dec,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_read,
    kernel,
    per_page,
    set_bit,
    smp_mb,
    smp_rmb,
    smp_wmb,
    test_and_clear_bit,
    test_bit,
    u3,
)
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

PagePin = per_page(0, 1, bytes=0, word="flags")

pinned_before = per_page(0, 1, bytes=0, order="strong")
"""page_mkclean()'s local variable `pinned`, from C1 to C5: nobody else's, the page is locked."""
mapcount_before = per_page(0, 7, bytes=0, order="strong")
"""Its local variable `mp`, from C3 to C5."""


@kernel
def pin_page(page: Page) -> bool:
    """The reference is held already. False: taken back, but for the flag."""
    if test_bit(page.PG_anon):
        return True
    writeback = test_bit(page.PG_writeback)
    pinned = test_bit(PagePin[page])
    if writeback and not pinned:
        return False
    smp_rmb()  # G1
    atomic_inc(page._mapcount)  # G2
    smp_wmb()  # G3
    set_bit(PagePin[page])  # G4
    smp_wmb()  # G5
    if not writeback and not pinned and test_bit(page.PG_writeback):  # G6
        atomic_dec(page._mapcount)
        return False
    return True


@kernel
def grab_page(page: Page) -> bool:
    """Page table lock held; GUP waits for the writeback and walks again."""
    get_page(page)
    if not pin_page(page):
        put_page(page)
        return False
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """Cannot wait: the slow path does."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    if not pin_page(page):
        put_page(page)
        return False
    return True


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """P1, P2: no lock."""
    if not test_bit(page.PG_anon):
        atomic_dec(page._mapcount)
    put_page(page)


@kernel
def mkclean_begin(page: Page) -> None:
    """C1 to C3: mapcount before the walk."""
    WRITE_ONCE(pinned_before[page], test_and_clear_bit(PagePin[page]))
    smp_mb()
    WRITE_ONCE(mapcount_before[page], atomic_read(page._mapcount) + 1)


@kernel
def mkclean_end(page: Page, mapped: u3, cleaned: u3) -> None:
    """C5."""
    if READ_ONCE(pinned_before[page]) == 1 and mapped < READ_ONCE(mapcount_before[page]):
        set_bit(PagePin[page])


@kernel
def page_pinned(page: Page) -> bool:
    """The flag."""
    return test_bit(PagePin[page])


@kernel
def writeback_started(page: Page, pinned: bool) -> bool:
    """T2, T3: once more, now that a new pin would see PG_writeback."""
    smp_wmb()
    return test_bit(PagePin[page])


@kernel
def still_mapped_when_deleted(page: Page) -> None:
    """Truncate must leave the count to the pins."""
