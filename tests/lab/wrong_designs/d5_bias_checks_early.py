"""D5: refcount-bias that looks at the count before page_mkclean() has write-protected."""

from __future__ import annotations

from pinlab.lab.designs.refcount_bias import GUP_PIN_COUNTING_BIAS
from pinlab.lab.language.kernel import READ_ONCE, WRITE_ONCE, atomic_read, kernel, per_page, u3
from pinlab.lab.linux.design import WRITE
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"

looked_pinned = per_page(0, 1, bytes=0)


@kernel
def before_mkclean(page: Page, sync: bool) -> u3:
    WRITE_ONCE(looked_pinned[page], atomic_read(page._refcount) >= GUP_PIN_COUNTING_BIAS)
    return WRITE


@kernel
def page_pinned(page: Page) -> bool:
    return bool(READ_ONCE(looked_pinned[page]) == 1)
