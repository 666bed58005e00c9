"""A pin for reading is of a page that the owner's next store leaves behind.

A page is shared with a child, or is the file's under a private mapping. A device is given a pin for
reading. The owner stores, and the page is copied: the device reads what the owner had before, and
no longer what the owner has.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel, u4
from pinlab.lab.today.linux.types import Page

BUG = Bug(
    number="B17",
    title="A pin for reading goes stale at the owner's next store",
    fixed_by="84209e87c696 mm/gup: reliable R/O long-term pinning in COW mappings",
    versions="up to 5.18 (shared anonymous pages), up to 6.1 (pages of files)",
    operations="pin-longterm@private, store@private",
    state="clean private",
    objective="I5",
)


@kernel
def gup_must_unshare(is_cow_mapping: bool, flags: u4, page: Page) -> bool:
    """mm/internal.h gup_must_unshare(), before there was one."""
    return False
