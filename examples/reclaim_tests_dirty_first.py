"""reclaim-tests-dirty-first: __remove_mapping() looks at the dirty bit before it freezes the count.

mm/vmscan.c of 4.20 says why it must not: get_user_pages(), the mapping goes away, the dirty test
finds nothing, SetPageDirty(), put_page(), and then the count is 2 again: the page is freed with
data in it that nobody has written. `pinlab check examples/reclaim_tests_dirty_first.py` finds it.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import NULL, WRITE_ONCE, cmpxchg, kernel, test_bit, trace
from pinlab.lab.linux.filemap import page_index
from pinlab.lab.linux.types import AddressSpace, Page
from pinlab.objectives.events import Event


@kernel
def __remove_mapping(mapping: AddressSpace, page: Page) -> bool:
    """The two tests in the other order; nothing to undo, which makes it look better."""
    if test_bit(page.PG_dirty):
        return False
    if cmpxchg(page._refcount, 2, 0) != 2:
        return False
    WRITE_ONCE(mapping.i_pages[page_index(page)], 0)
    WRITE_ONCE(page.mapping, NULL)
    trace(Event.CACHE_DEL, page)
    return True
