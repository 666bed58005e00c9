"""GUP-fast pins through a page table that khugepaged has taken off the tree.

GUP-fast has read the upper entry and walks the table behind it. khugepaged clears the upper entry;
where the flush of that is a broadcast, nobody waits for GUP-fast. It finds no extra reference, and
goes on to copy. GUP-fast pins the page; the lower entry is as it was, as nobody has cleared it in a
table that is off the tree, so the pin stands. The device stores into a page that the owner has a
copy of.

6.1 mended it twice: GUP-fast looks at the upper entry again as well, and khugepaged interrupts
everybody (2ba99c5e0881). Either would do, so both are taken away.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel, u4
from pinlab.lab.today.linux.types import Vma

BUG = Bug(
    number="B20",
    title="GUP-fast pins a page of a range that khugepaged has collapsed",
    fixed_by="70cbc3cc78a9 mm: gup: fix the fast GUP race against THP collapse",
    versions="3.19 to 6.0, where flushing a table sends no interrupt",
    operations="pin@private, collapse@private",
    state="anon",
    objective="I5",
)


@kernel
def tlb_remove_table_sync_one() -> None:
    """Nothing."""


@kernel
def gup_fast_pmd_unchanged(vma: Vma, pmd: u4) -> bool:
    """mm/gup.c gup_pte_range() of 6.0: the lower entry only."""
    return True
