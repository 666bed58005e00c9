"""D13: the bounce copy is made before page_mkclean(); a store in between is in neither."""

from __future__ import annotations

from pinlab.lab.language.kernel import READ_ONCE, WRITE_ONCE, kernel, per_page, u3
from pinlab.lab.linux.design import WRITE
from pinlab.lab.linux.types import Page

BASE = "bounce-2023"

copy = per_page(0, 3, bytes=0)


@kernel
def before_mkclean(page: Page, sync: bool) -> u3:
    WRITE_ONCE(copy[page], READ_ONCE(page.data))
    return WRITE


@kernel
def bounce_copy(page: Page) -> u3:
    data: u3 = READ_ONCE(copy[page])
    return data
