"""UFFDIO_MOVE moves a page that was pinned a moment before.

The ioctl asks whether the page is pinned: it is not. GUP-fast pins it. Then the entry is cleared,
too late for GUP-fast to see, and the page appears at another address. The device stores there,
where nobody has asked it to. So the question comes again when the entry is cleared.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel
from pinlab.lab.today.linux.types import Folio

BUG = Bug(
    number="B35",
    title="UFFDIO_MOVE moves a page that GUP-fast has just pinned",
    fixed_by="never broken: the second question is there since UFFDIO_MOVE is, in 6.8",
    versions="none",
    operations="pin@private, move@private",
    state="anon",
    objective="I5",
)


@kernel
def moved_is_pinned(folio: Folio) -> bool:
    """mm/userfaultfd.c move_present_ptes(), without the second question."""
    return False
