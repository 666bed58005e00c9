"""The structures of the model and the arithmetic of page table entries.

Layout, the same for every scenario (who uses which is said by the scenario's initial values):

* frames 1, 2: pages 0 and 1 of the file; frames 3, 4: anonymous, or free.
* mappings and contents are those of every world (layout.py).
* blocks 1 .. 3 of the disk; block 0 is a hole. With DAX, block n is frame n.
"""

from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import (
    Pointer,
    Struct,
    array,
    atomic,
    bounded,
    flag,
    mutex,
    pointer,
    pure,
    refcount,
    rwsem,
    spinlock,
    u1,
    u3,
    u5,
)
from pinlab.lab.layout import CHILD as CHILD
from pinlab.lab.layout import CONTENTS, HAVE_CONTENTS
from pinlab.lab.layout import CPU_DATA as CPU_DATA
from pinlab.lab.layout import CPUS as CPUS
from pinlab.lab.layout import DEVICE_DATA as DEVICE_DATA
from pinlab.lab.layout import FILE as FILE
from pinlab.lab.layout import OLD as OLD
from pinlab.lab.layout import PRIVATE as PRIVATE
from pinlab.lab.layout import SHARED as SHARED
from pinlab.lab.layout import SHARED2 as SHARED2
from pinlab.lab.layout import TORN as TORN

PAGES = 4
FILE_PAGES = 2


class Page(Struct, count=PAGES):
    """struct page."""

    _refcount = refcount(31)
    _mapcount = atomic(-1, 6)
    PG_locked = mutex(word="flags")
    PG_dirty = flag(word="flags")
    PG_writeback = flag(word="flags")
    PG_lru = flag(word="flags")
    PageBuddy = flag()  # free: with the allocator, nobody's
    PG_anon = flag(word="mapping")  # PAGE_MAPPING_ANON in page->mapping
    PagePrivate = flag(word="flags")  # buffers are attached; they are dirty when the page is
    mapping: Pointer[AddressSpace] = pointer("AddressSpace")
    index = flag()  # never changes: read with static_branch
    data = bounded(OLD, DEVICE_DATA)


class AddressSpace(Struct, count=1):
    """struct address_space and the inode behind it: its page cache and its block map."""

    i_rwsem = rwsem()
    i_mmap_sem = rwsem()  # the file system's own: ext4 i_mmap_sem, XFS_MMAPLOCK
    i_mmap_rwsem = rwsem()
    private_lock = spinlock()
    i_pages = array(FILE_PAGES, 0, PAGES)  # page frames by index; 0 is empty
    block = array(FILE_PAGES, 0, 3)  # the file system's block map; 0 is a hole


class Mm(Struct, count=2):
    """struct mm_struct."""

    mmap_sem = rwsem()


class Vma(Struct, count=4):
    """struct vm_area_struct with the page table behind it: a lock and two entries."""

    VM_SHARED = flag()  # never changes: read with static_branch, as the next two
    VM_FILE = flag()  # vma->vm_file
    present = flag()  # the scenario has this mapping at all (or fork will make it)
    unmapped = flag()  # munmap has taken it off the mm's tree
    unlinked = flag()  # and off the file's, i_mmap
    pmd_none = flag()  # nothing points to its page table any more
    table_freed = flag(order="strong")  # its page table went back to the allocator
    ptl = spinlock()
    pte = array(FILE_PAGES, 0, 31)


disk = array(4, OLD, TORN, order="strong")
"""What is on the disk, by block."""

PTE_PFN = 7
PTE_WRITE = 8
PTE_DIRTY = 16


@pure
def pte_none(pte: u5) -> bool:
    """No entry; swap and migration entries are not modelled."""
    return pte == 0


@pure
def pte_pfn(pte: u5) -> u3:
    """The page frame an entry points to: 0 for none."""
    return pte & PTE_PFN


@pure
def pte_page(pte: u5) -> Page:
    """The page an entry points to; only of an entry that is there."""
    return cast(Page, pte & PTE_PFN)


@pure
def pte_write(pte: u5) -> bool:
    """Whether a store through this entry is allowed."""
    return pte & PTE_WRITE != 0


@pure
def pte_dirty(pte: u5) -> bool:
    """Whether a store has gone through this entry."""
    return pte & PTE_DIRTY != 0


@pure
def pte_wrprotect(pte: u5) -> u5:
    """The entry, read-only."""
    return pte & (PTE_PFN | PTE_DIRTY)


@pure
def pte_mkclean(pte: u5) -> u5:
    """The entry, clean."""
    return pte & (PTE_PFN | PTE_WRITE)


@pure
def mk_pte(page: Page, write: u1) -> u5:
    """A fresh entry for `page`; a writable one is dirty, as maybe_mkwrite(pte_mkdirty()) has it."""
    return cast(int, page) | (PTE_WRITE | PTE_DIRTY) * write


def show(name: str, value: int) -> str:
    """A shared value as a person reads it: page table and TLB entries as frame and permissions,
    contents by who stored them."""
    if name in HAVE_CONTENTS:
        return CONTENTS[value]
    if name not in ("Vma.pte", "tlb"):
        return str(value)
    if value == 0:
        return "none"
    bits = [word for bit, word in ((PTE_WRITE, "write"), (PTE_DIRTY, "dirty")) if value & bit]
    return " ".join([f"page {value & PTE_PFN}", *(bits or ["read-only"])])
