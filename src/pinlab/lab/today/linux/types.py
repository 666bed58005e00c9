"""The structures of 7.2 and the arithmetic of page table entries.

A page and its folio are two types, as the kernel has had it since it took one for the other once
too often: what belongs to a page is its content and what a page table entry names; references, the
mapcount and the flags are its folio's. At order 0 they have the same number. Mappings and contents
are those of every world (layout.py). The file has one page, and one block for it.
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
    u4,
    u6,
)
from pinlab.lab.layout import CONTENTS, DEVICE_DATA, HAVE_CONTENTS, OLD, TORN

PAGES = 4

PMD_NONE, PMD_TABLE, PMD_LEAF = 0, 1, 8
"""Nothing, the table, or PMD_LEAF + the number of a page that is mapped writable without one."""

GUP_PIN_COUNTING_BIAS = 16
"""1024 in the kernel. Here 16 plain references look like a pin; the model never has as many."""


class Page(Struct, count=PAGES):
    """struct page."""

    data = bounded(OLD, DEVICE_DATA)
    PageAnonExclusive = flag()  # anonymous, and of one process alone
    gave_up = flag()  # ghost: the first process has given the page away itself
    child_gave_up = flag()  # ghost: so has the child


class Folio(Struct, count=PAGES):
    """struct folio."""

    _refcount = refcount(63)
    _mapcount = atomic(-1, 6)
    PG_locked = mutex(word="flags")
    PG_dirty = flag(word="flags")
    PG_writeback = flag(word="flags")
    PG_lru = flag(word="flags")
    PG_private = flag(word="flags")  # buffers are attached, and hold a reference
    PG_swapcache = flag(word="flags")
    BH_Dirty = flag()  # they are dirty
    PG_anon = flag(word="mapping")  # FOLIO_MAPPING_ANON in folio->mapping
    PageBuddy = flag()  # free: with the allocator, nobody's
    mapping: Pointer[AddressSpace] = pointer("AddressSpace")


class AddressSpace(Struct, count=1):
    """struct address_space and the inode behind it, on ext4."""

    i_rwsem = rwsem()
    invalidate_lock = rwsem()
    i_mmap_rwsem = rwsem()
    i_private_lock = spinlock()
    i_pages = bounded(0, PAGES)  # the page cache at index 0; its xa_lock below
    xa_lock = spinlock()
    i_size = flag()  # in pages


class Mm(Struct, count=2):
    """struct mm_struct."""

    mmap_lock = rwsem()
    write_protect_seq = bounded(0, 3)  # odd while fork copies
    MMF_HAS_PINNED = flag()  # it has pinned some time


class Vma(Struct, count=4):
    """struct vm_area_struct with the page table behind it: a lock and one entry, and the entry of
    the table above it, which the lock stands for as well."""

    VM_SHARED = flag()  # never changes: read with static_branch, as the next two
    VM_FILE = flag()  # vma->vm_file
    present = flag()  # the scenario has this mapping at all
    ptl = spinlock()
    pte = bounded(0, 63)
    pmd = bounded(0, PMD_LEAF + PAGES)  # only that of anonymous memory ever changes


disk = array(2, OLD, TORN, order="strong")
"""What is on the disk: block 1 is the file's."""

PTE_PFN = 7
PTE_WRITE = 8
PTE_DIRTY = 16
PTE_SWAP = 32
"""Not present: the only slot of the swap device or, with a page frame, a page that is being
migrated. PTE_WRITE says that the page was exclusive, PTE_DIRTY of a migrated one that the entry was
writable."""


@pure
def pte_none(pte: u6) -> bool:
    """No entry."""
    return pte == 0


@pure
def pte_present(pte: u6) -> bool:
    """An entry that points to a page."""
    return pte != 0 and pte < PTE_SWAP


@pure
def pte_pfn(pte: u6) -> u3:
    """The page frame an entry points to: 0 for none, and for what is not present."""
    return pte & PTE_PFN if pte < PTE_SWAP else 0


@pure
def pte_page(pte: u6) -> Page:
    """The page an entry points to; only of an entry that is there."""
    return cast(Page, pte & PTE_PFN)


@pure
def pte_write(pte: u6) -> bool:
    """Whether a store through this entry is allowed."""
    return pte & PTE_WRITE != 0


@pure
def pte_dirty(pte: u6) -> bool:
    """Whether a store has gone through this entry."""
    return pte & PTE_DIRTY != 0


@pure
def pte_wrprotect(pte: u6) -> u6:
    """The entry, read-only."""
    return pte & (PTE_PFN | PTE_DIRTY)


@pure
def pte_mkclean(pte: u6) -> u6:
    """The entry, clean."""
    return pte & (PTE_PFN | PTE_WRITE)


@pure
def pmd_leaf(pmd: u4) -> bool:
    """include/linux/pgtable.h pmd_leaf(): no table behind it."""
    return pmd >= PMD_LEAF


@pure
def pmd_page(pmd: u4) -> Page:
    """The page of a leaf; only of one."""
    return cast(Page, pmd - PMD_LEAF)


@pure
def pmd_mkleaf(page: Page) -> u4:
    """A writable leaf, as maybe_pmd_mkwrite(folio_mk_pmd()) has it."""
    return PMD_LEAF + cast(int, page)


@pure
def swp_pte(exclusive: u1) -> u6:
    """The entry of a page that was swapped out; pte_swp_mkexclusive()."""
    return PTE_SWAP | PTE_WRITE * exclusive


@pure
def pte_swp_exclusive(pte: u6) -> bool:
    """Whether the page that was swapped out was exclusive."""
    return pte & PTE_WRITE != 0


@pure
def pte_migration(pte: u6) -> bool:
    """An entry of a page that is being migrated."""
    return pte > PTE_SWAP and pte & PTE_PFN != 0


@pure
def mk_migration_pte(pte: u6, exclusive: u1) -> u6:
    """The entry of a page that is being migrated, from the one that it had."""
    return PTE_SWAP | pte & PTE_PFN | PTE_WRITE * exclusive | PTE_DIRTY * (pte & PTE_WRITE != 0)


@pure
def mk_pte(page: Page, write: u1) -> u6:
    """A fresh entry for `page`; a writable one is dirty, as maybe_mkwrite(pte_mkdirty()) has it."""
    return cast(int, page) | (PTE_WRITE | PTE_DIRTY) * write


@pure
def page_folio(page: Page) -> Folio:
    """include/linux/page-flags.h page_folio(). Left out: compound_head(), as no folio has a
    tail."""
    return cast(Folio, cast(int, page))


@pure
def folio_page(folio: Folio) -> Page:
    """include/linux/page-flags.h folio_page(): the only page of the folio."""
    return cast(Page, cast(int, folio))


def show(name: str, value: int) -> str:
    """A shared value as a person reads it: page table and TLB entries as frame and permissions,
    contents by who stored them."""
    if name in HAVE_CONTENTS:
        return CONTENTS[value]
    if name == "Vma.pmd":
        return f"leaf of page {value - PMD_LEAF}" if value >= PMD_LEAF else ("none", "table")[value]
    if name not in ("Vma.pte", "tlb"):
        return str(value)
    if value == 0:
        return "none"
    if value & PTE_SWAP and value & PTE_PFN:
        return f"page {value & PTE_PFN} being migrated"
    if value & PTE_SWAP:
        return "swap exclusive" if value & PTE_WRITE else "swap"
    bits = [word for bit, word in ((PTE_WRITE, "write"), (PTE_DIRTY, "dirty")) if value & bit]
    return " ".join([f"page {value & PTE_PFN}", *(bits or ["read-only"])])
