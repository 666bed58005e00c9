"""D10: refcount-bias, but released by put_page(): 7 of the 8 stay."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def release_page(page: Page) -> None:
    """The wrong function."""
    put_page(page)
