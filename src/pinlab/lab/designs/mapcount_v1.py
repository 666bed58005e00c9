"""mapcount-v1: a pin of a file page is another mapping without an entry.

Source: Glisse, 12-18 December 2018. GUP raises _mapcount; page_mkclean() counts the entries it
finds, and what _mapcount has more must be pins.

Known holes: _mapcount is read after the walk, and munmap lowers it without the page lock in
between, so that a pin is lost (I13). page_mkclean() does not look at private mappings, which count
as pins then, forever.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    atomic_dec,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_read,
    clear_bit,
    kernel,
    per_page,
    set_bit,
    test_bit,
    u3,
)
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

PageDMAPinned = per_page(0, 1, bytes=0, word="flags")


@kernel
def grab_page(page: Page) -> bool:
    """Page table lock held: ordered against page_mkclean() by it."""
    get_page(page)
    if not test_bit(page.PG_anon):
        atomic_inc(page._mapcount)
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """Under writeback the slow path waits instead."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    if not test_bit(page.PG_anon):
        atomic_inc(page._mapcount)
        if test_bit(page.PG_writeback):
            atomic_dec(page._mapcount)
            put_page(page)
            return False
    return True


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """No lock: works in interrupts."""
    if not test_bit(page.PG_anon):
        atomic_dec(page._mapcount)
    put_page(page)


@kernel
def mkclean_end(page: Page, mapped: u3, cleaned: u3) -> None:
    """More mappings than entries: the rest are pins."""
    if atomic_read(page._mapcount) + 1 - mapped > 0:
        set_bit(PageDMAPinned[page])
    else:
        clear_bit(PageDMAPinned[page])


@kernel
def page_pinned(page: Page) -> bool:
    """As page_mkclean() left it."""
    return test_bit(PageDMAPinned[page])


@kernel
def still_mapped_when_deleted(page: Page) -> None:
    """Truncate must leave the count to the pins."""
