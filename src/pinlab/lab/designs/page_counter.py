"""page-counter: a counter of pins of its own in struct page.

Source: Hubbard's replies of December 2018 (a new field instead of the lru words). The counter is
raised after the reference and before GUP-fast reads the entry again, so that whoever has
write-protected the page sees it.

Known holes: struct page has no room: 4 bytes that alignment makes 8 or 16, gigabytes a terabyte.
It detects, it does not decide.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    atomic_dec_return,
    atomic_inc_not_zero,
    atomic_inc_return,
    atomic_read,
    kernel,
    per_page,
    wait_event,
)
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

pincount = per_page(0, 3, bytes=8)


@kernel
def grab_page(page: Page) -> bool:
    """Page table lock held."""
    get_page(page)
    atomic_inc_return(pincount[page])
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """Fully ordered before the entry is read again."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    atomic_inc_return(pincount[page])
    return True


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """Any context."""
    atomic_dec_return(pincount[page])
    put_page(page)


@kernel
def page_pinned(page: Page) -> bool:
    """Exact."""
    return atomic_read(pincount[page]) > 0


@kernel
def wait_until_unpinned(page: Page) -> None:
    """The same, awaited."""
    wait_event(atomic_read(pincount[page]) == 0)
