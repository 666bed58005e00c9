"""What the model once did and 4.20 does not: each was a false alarm, or would have been one."""

from __future__ import annotations

import pytest

from pinlab.lab.language.kernel import NULL, atomic_set, cmpxchg, kernel, u1
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.filemap import find_get_page
from pinlab.lab.linux.page_alloc import alloc_page
from pinlab.lab.linux.rmap import page_add_file_rmap
from pinlab.lab.linux.truncate import ext4_setattr, iomap_dio_rw
from pinlab.lab.linux.types import FILE, AddressSpace, Page
from pinlab.lab.linux.vmscan import shrink_page_list
from pinlab.lab.scenarios.scenario import Task
from pinlab.lab.scenarios.state import Initial
from pinlab.lab.scenarios.words import state
from tests.lab.linux.world import every_order

DIRTY = state("dirty+buffers rw").values

KSWAPD = Task("kswapd", shrink_page_list, (FILE, 1))


@pytest.mark.parametrize(
    "other",
    [Task("truncate", ext4_setattr, (FILE, 0)), Task("write", iomap_dio_rw, (FILE, 0))],
    ids=lambda task: task.name,
)
def test_a_page_that_left_the_cache_during_pageout_is_not_freed_by_reclaim(other: Task) -> None:
    """The mapping is read again behind pageout(), mm/vmscan.c: both dropped the cache's reference,
    and the count went below zero."""
    initial = {**DIRTY, "truncates": (1,)}
    assert failures(initial, KSWAPD, other) == set()


@kernel
def freeze_and_unfreeze(page: Page) -> None:
    """__remove_mapping() that finds the page dirty."""
    if cmpxchg(page._refcount, 2, 0) == 2:
        atomic_set(page._refcount, 2)


@kernel
def find(mapping: AddressSpace, index: u1) -> None:
    page = find_get_page(mapping, index)
    assert page != NULL
    put_page(page)


@kernel
def allocate_and_check(mine: Page) -> None:
    """What is allocated is no page that has an owner; it is given back."""
    page = alloc_page()
    assert page != mine
    if page != NULL:
        put_page(page)


FREEZER = Task("kswapd", freeze_and_unfreeze, (1,))


def failures(initial: Initial, *tasks: Task) -> set[str]:
    found = every_order(initial, *tasks)
    assert found.complete
    return {hit for hit in found.hits if hit.startswith("failure:")}


def test_a_lookup_starts_over_while_the_count_is_frozen() -> None:
    """find_get_entry(), mm/filemap.c: a page that reclaim has frozen is in the cache still."""
    assert failures(DIRTY, FREEZER, Task("fsync", find, (FILE, 0))) == set()


def test_a_frozen_page_is_not_given_out() -> None:
    allocator = Task("fork", allocate_and_check, (1,))
    assert failures(DIRTY, FREEZER, allocator) == set()


def test_a_page_whose_last_reference_has_gone_is_given_out_only_when_it_was_freed() -> None:
    """Between the two its mapcount is looked at, which must still be that of its old life."""
    held = {
        **DIRTY,
        "Page._refcount": (2, 1, 1, 1),
        "Page.PageBuddy": (0, 0, 0, 0),
    }
    last, allocator = Task("put", put_page, (2,)), Task("fork", map_what_is_free)
    assert failures(held, last, allocator) == set()


@kernel
def map_what_is_free() -> None:
    """A page fault that maps the page it gets."""
    page = alloc_page()
    if page != NULL:
        page_add_file_rmap(page)
