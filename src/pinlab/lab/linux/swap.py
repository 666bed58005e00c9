"""Dropping pins. mm/swap.c, mm/gup.c, and the put_user_page() series that was sent for 4.20:
include/linux/mm.h and mm/swap.c of its third version, Dec 2018. Its calls for arrays take one page
here."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, test_bit
from pinlab.lab.linux.buffer import set_page_dirty, set_page_dirty_lock
from pinlab.lab.linux.design import holder_dirties, pin_ends, release_page
from pinlab.lab.linux.types import Page


@kernel
def put_user_page(page: Page) -> None:
    """put_user_page(), any context. The ghost pin ends with the caller's step before this call."""
    pin_ends(page)
    release_page(page)


@kernel
def put_user_pages(page: Page) -> None:
    """put_user_pages(): the pin goes, the page is dirty if somebody else has made it so."""
    put_user_page(page)


@kernel
def put_user_pages_dirty(page: Page) -> None:
    """put_user_pages_dirty(): dirty it without the page lock. "It is the caller's responsibility to
    ensure that this is safe", says its comment: that the page stays in its file, where truncate and
    reclaim clean it under the lock. Any context."""
    if holder_dirties(page) and not test_bit(page.PG_dirty):
        set_page_dirty(page)
    put_user_page(page)


@kernel
def put_user_pages_dirty_lock(page: Page) -> None:
    """The pin holder stored into the page: dirty it, then drop the pin. May sleep."""
    if holder_dirties(page) and not test_bit(page.PG_dirty):
        set_page_dirty_lock(page)
    put_user_page(page)
