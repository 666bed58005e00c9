"""GUP-fast pins a page while fork makes its entry read-only.

Fork asks whether the page is pinned: it is not. Then GUP-fast, which takes no lock that fork has,
reads the entry, still writable, pins, and reads the entry again, still the same. Fork makes it
read-only. The next store of the program leaves the device behind, as if fork had not asked.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel, local_irq_disable, local_irq_enable, u4
from pinlab.lab.today.linux.gup import gup_fast_pte_range
from pinlab.lab.today.linux.types import Mm, Page, Vma

BUG = Bug(
    number="B13",
    title="GUP-fast pins while fork write-protects",
    fixed_by="57efa1fe5957 mm/gup: prevent gup_fast from racing with COW during fork",
    versions="5.9 to 5.10",
    operations="pin@private, fork, store@private",
    state="anon",
    objective="I5",
)


@kernel
def gup_fast(mm: Mm, vma: Vma, flags: u4) -> Page:
    """mm/gup.c gup_fast(), without the sequence count."""
    local_irq_disable()
    page = gup_fast_pte_range(vma, flags)
    local_irq_enable()
    return page
