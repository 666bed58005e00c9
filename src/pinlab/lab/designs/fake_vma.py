"""fake-vma: GUP links a vma of its own into the mapping; its pages are mapped once more.

Source: Glisse, 7 and 8 December 2018. Each call allocates a fake vma and inserts it into the
mapping's tree under i_mmap_rwsem; pages get a mapcount instead of a reference. Writeback meets the
fake vma on its walk.

Known holes (Kara, 12 December): inserting sleeps, so there is no GUP-fast; removing sleeps, so
there is no unpin in an interrupt. A page with mapcount and no reference can be freed while pinned
(I1). The walk cannot tell which page of the range is pinned; so all fake vmas are one count here,
and the fake anon_vma of anonymous pages is the same one.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    allocate,
    atomic,
    atomic_dec,
    atomic_dec_return,
    atomic_inc,
    atomic_inc_return,
    atomic_read,
    down_write,
    kernel,
    up_write,
    wait_event,
)
from pinlab.lab.linux.types import FILE, AddressSpace, Page

fake_vmas = atomic(0, 7)
"""Fake vmas in the mapping's tree, each alive for as long as its call's pins."""


@kernel
def gup_begin(mapping: AddressSpace) -> None:
    """Insert the fake vma, before the walk."""
    allocate()
    down_write(mapping.i_mmap_rwsem)
    atomic_inc_return(fake_vmas)
    up_write(mapping.i_mmap_rwsem)


@kernel
def gup_end(mapping: AddressSpace, got: bool) -> None:
    """Nothing was pinned: take it out again."""
    if not got:
        down_write(mapping.i_mmap_rwsem)
        atomic_dec_return(fake_vmas)
        up_write(mapping.i_mmap_rwsem)


@kernel
def grab_page(page: Page) -> bool:
    """Another mapping, and no reference."""
    atomic_inc(page._mapcount)
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    """There is no way round inserting the fake vma first."""
    gup_begin(cast(AddressSpace, FILE))
    return grab_page(page)


@kernel
def undo_grab(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """The mapping goes, and with the call's last page its fake vma."""
    atomic_dec(page._mapcount)
    mapping = cast(AddressSpace, FILE)
    down_write(mapping.i_mmap_rwsem)
    atomic_dec_return(fake_vmas)
    up_write(mapping.i_mmap_rwsem)


@kernel
def page_pinned(page: Page) -> bool:
    """The walk met a fake vma that covers the page: maybe."""
    return atomic_read(fake_vmas) > 0


@kernel
def wait_until_unpinned(page: Page) -> None:
    """Until no fake vma is left."""
    wait_event(atomic_read(fake_vmas) == 0)


@kernel
def still_mapped_when_deleted(page: Page) -> None:
    """A pin is a mapping that truncate cannot take away."""
