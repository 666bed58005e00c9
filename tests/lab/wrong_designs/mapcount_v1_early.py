"""mapcount-v1 cured of D1: _mapcount is read before the walk, as v3 does."""

from __future__ import annotations

from pinlab.lab.designs.mapcount_v1 import PageDMAPinned
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_read,
    clear_bit,
    kernel,
    per_page,
    set_bit,
    u3,
)
from pinlab.lab.linux.types import Page

BASE = "mapcount-v1"

mapcount_before = per_page(0, 7, bytes=0)


@kernel
def mkclean_begin(page: Page) -> None:
    WRITE_ONCE(mapcount_before[page], atomic_read(page._mapcount) + 1)


@kernel
def mkclean_end(page: Page, mapped: u3, cleaned: u3) -> None:
    if READ_ONCE(mapcount_before[page]) > mapped:
        set_bit(PageDMAPinned[page])
    else:
        clear_bit(PageDMAPinned[page])
