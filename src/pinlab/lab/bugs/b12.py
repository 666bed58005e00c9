"""Fork shares a page that is pinned, and the next store leaves the device behind.

A program has pinned a page of its own and forks. Both share it read-only then. The program stores,
and is given a copy: the device goes on with the page that is the child's by now. A pin cannot be
moved, so the child must be given the copy, at once.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel
from pinlab.lab.today.linux.types import Folio, Mm

BUG = Bug(
    number="B12",
    title="Fork shares a pinned page",
    fixed_by="70e806e4e645 mm: Do early cow for pinned pages during fork() for ptes",
    versions="up to 5.8",
    operations="pin@private, fork, store@private",
    state="anon",
    objective="I5",
)


@kernel
def folio_needs_cow_for_dma(mm: Mm, folio: Folio) -> bool:
    """include/linux/mm.h folio_needs_cow_for_dma(), before there was one."""
    return False
