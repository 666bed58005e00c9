"""D10, the converse: refcount-bias, but taken by get_page(): 7 too many are dropped."""

from __future__ import annotations

from pinlab.lab.language.kernel import atomic_inc_not_zero, kernel
from pinlab.lab.linux.design import get_page
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def grab_page(page: Page) -> bool:
    """The wrong function."""
    get_page(page)
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """The wrong function."""
    return atomic_inc_not_zero(page._refcount)
