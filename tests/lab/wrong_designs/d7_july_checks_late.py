"""D7 alone: the July rules for references, but the flag is looked at after page_mkclean()."""

from __future__ import annotations

from pinlab.lab.designs.lru_counter_october import PageDmaPinned
from pinlab.lab.language.kernel import kernel, test_bit, u3
from pinlab.lab.linux.design import WRITE
from pinlab.lab.linux.types import Page

BASE = "lru-counter-july"


@kernel
def before_mkclean(page: Page, sync: bool) -> u3:
    return WRITE


@kernel
def page_pinned(page: Page) -> bool:
    return test_bit(PageDmaPinned[page])
