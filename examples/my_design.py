"""my-design: pins counted in a field of their own; writeback looks before it write-protects."""

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
)
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

pin_count = per_page(0, 3, bytes=4)
was_pinned = per_page(0, 1, bytes=0)


@kernel
def grab_page(page: Page) -> bool:
    """Slow GUP, page table lock held."""
    get_page(page)
    atomic_inc(pin_count[page])
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """GUP-fast, interrupts off: only the entry says that the page exists."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    atomic_inc(pin_count[page])
    return True


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """put_user_page(), in interrupts too."""
    atomic_dec(pin_count[page])
    put_page(page)


@kernel
def mkclean_begin(page: Page) -> None:
    """page_mkclean() starts: is there a pin?"""
    if atomic_read(pin_count[page]) > 0:
        set_bit(was_pinned[page])
    else:
        clear_bit(was_pinned[page])


@kernel
def page_pinned(page: Page) -> bool:
    """What page_mkclean() saw."""
    return test_bit(was_pinned[page])
