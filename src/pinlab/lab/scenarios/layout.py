"""Initial states that scenarios share: the file, its mappings, static keys."""

from __future__ import annotations

from collections.abc import Mapping

from pinlab.lab.linux.types import CPU_DATA, PTE_DIRTY, PTE_WRITE

RW = PTE_WRITE | PTE_DIRTY

Initial = dict[str, tuple[int, ...]]

KEYS: Mapping[str, tuple[int, ...]] = {"gup_fast_works": (1,), "irq_unpin_works": (1,)}
"""A design is believed to pin in GUP-fast and to unpin in interrupts until a probe says no."""


def file_mapped(*, second_mapping: bool = False, pages: int = 1) -> Initial:
    """A file with one or two dirty pages, mapped writable by the first process and, if asked for,
    by the second one too. The disk still has the old data."""
    both = pages == 2
    mappings = 2 if second_mapping else 1
    entry = (1 | RW, 2 | RW if both else 0)
    return {
        **KEYS,
        "two_pages": (int(both),),
        "Page._refcount": (1 + mappings, 2 if both else 0, 0, 0),
        "Page._mapcount": (mappings - 1, 0 if both else -1, -1, -1),
        "Page.PageBuddy": (0, 0, 1, 1),
        "Page.PG_dirty": (1, int(both), 0, 0),
        "Page.PG_lru": (1, 1, 1, 1),
        "Page.PagePrivate": (1, 1, 0, 0),
        "Page.mapping": (1, 1, 0, 0),
        "Page.index": (0, 1, 0, 0),
        "Page.data": (CPU_DATA, CPU_DATA if both else 0, 0, 0),
        "AddressSpace.i_pages": (1, 2 if both else 0),
        "AddressSpace.block": (1, 2),
        "Vma.VM_SHARED": (1, 1, 0, 0),
        "Vma.VM_FILE": (1, 1, 0, 0),
        "Vma.present": (1, int(second_mapping), 0, 0),
        "Vma.pte": (*entry, *(entry if second_mapping else (0, 0)), 0, 0, 0, 0),
    }


def anonymous(*, child: bool = False) -> Initial:
    """One anonymous page, frame 3, mapped writable by the first process or, after a fork, read-only
    by both. Frame 4 is free."""
    entry = 3 if child else 3 | RW
    return {
        **KEYS,
        "Page._refcount": (1, 1, 2 if child else 1, 0),
        "Page._mapcount": (-1, -1, 1 if child else 0, -1),
        "Page.PageBuddy": (0, 0, 0, 1),
        "Page.PG_anon": (0, 0, 1, 0),
        "Page.PG_lru": (1, 1, 1, 1),
        "Page.PG_dirty": (0, 0, 1, 0),
        "Vma.present": (0, 0, 1, 1),
        "Vma.pte": (0, 0, 0, 0, entry, 0, entry if child else 0, 0),
    }


def with_private(initial: Initial) -> Initial:
    """The first process also has page 0 of the file in a private mapping, read-only."""
    changed = dict(initial)
    refs, maps = list(changed["Page._refcount"]), list(changed["Page._mapcount"])
    refs[0] += 1
    maps[0] += 1
    pte = list(changed["Vma.pte"])
    pte[4] = 1
    present = list(changed["Vma.present"])
    present[2] = present[3] = 1
    changed |= {
        "Page._refcount": tuple(refs),
        "Page._mapcount": tuple(maps),
        "Vma.pte": tuple(pte),
        "Vma.present": tuple(present),
        "Vma.VM_FILE": (1, 1, 1, 1),
    }
    return changed


def dax_file() -> Initial:
    """A file of one DAX page, mapped by the first process: one reference, no mapcount."""
    return {
        **KEYS,
        "dax": (1,),
        "truncates": (1,),
        "Page._refcount": (1, 1, 0, 0),
        "Page._mapcount": (-1, -1, -1, -1),
        "Page.PageBuddy": (0, 0, 1, 1),
        "Page.PG_lru": (0, 0, 0, 0),
        "Page.mapping": (1, 0, 0, 0),
        "Page.data": (CPU_DATA, 0, 0, 0),
        "AddressSpace.i_pages": (1, 0),
        "AddressSpace.block": (1, 0),
        "Vma.VM_SHARED": (1, 0, 0, 0),
        "Vma.VM_FILE": (1, 0, 0, 0),
        "Vma.present": (1, 0, 0, 0),
        "Vma.pte": (1 | RW, 0, 0, 0, 0, 0, 0, 0),
    }
