"""refcount-bias: a pin adds a large number to the page's ordinary reference count.

Source: Kara, 14 January 2019; merged for 5.7 as FOLL_PIN (3faa52c03f44). "Pinned" is: the count is
at least the bias. It may be wrong when very many ordinary references exist, never the other way.

The bias is 8 here, not 1024: the counts of the model are five bits. No page of any scenario has 8
ordinary references (cache 1, mappings 4, and a lookup, a fault and reclaim at most at a time), so
an answer differs from the real bias's nowhere; three pins fit.

Known holes: it detects, it does not decide. Without a policy writeback still writes a page that
a device is storing into.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    atomic_add,
    atomic_add_unless,
    atomic_read,
    atomic_sub_and_test,
    kernel,
    trace,
    wait_event,
)
from pinlab.lab.linux.page_alloc import free_unref_page
from pinlab.lab.linux.types import Page
from pinlab.objectives.events import Event

GUP_PIN_COUNTING_BIAS = 8


@kernel
def grab_page(page: Page) -> bool:
    """try_grab_page(), page table lock held."""
    atomic_add(GUP_PIN_COUNTING_BIAS, page._refcount)
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """try_grab_compound_head(): fully ordered before the entry is read again."""
    return atomic_add_unless(page._refcount, GUP_PIN_COUNTING_BIAS, 0)


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """unpin_user_page()."""
    if atomic_sub_and_test(GUP_PIN_COUNTING_BIAS, page._refcount):
        trace(Event.PAGE_FREE, page)
        free_unref_page(page)


@kernel
def page_pinned(page: Page) -> bool:
    """page_maybe_dma_pinned()."""
    return atomic_read(page._refcount) >= GUP_PIN_COUNTING_BIAS


@kernel
def wait_until_unpinned(page: Page) -> None:
    """The same, awaited."""
    wait_event(atomic_read(page._refcount) < GUP_PIN_COUNTING_BIAS)
