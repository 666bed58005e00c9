"""The end of a direct read does not dirty again what was cleaned meanwhile.

A direct read dirties the pages that it was given (bio_set_pages_dirty()) and hands them to the
device. Before the device has stored, writeback cleans one of them and writes what the page has
then, which is the old content. Then the device stores. Its interrupt lets go of a page that is
dirty still; to dirty one it would have to lock it, which an interrupt cannot, so one that was
cleaned is left to a worker (bio_dirty_fn()). Here the interrupt lets go of it all the same: the
page is clean, the disk has the old content, and reclaim may drop what was read.
"""

from typing import cast

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import READ_ONCE, WRITE_ONCE, kernel, spin_until
from pinlab.lab.today.linux.bio import bio_release_page
from pinlab.lab.today.linux.device import DONE, RELEASED, dma_page, dma_state
from pinlab.lab.today.linux.types import Page

BUG = Bug(
    number="B37",
    title="Completion of a direct read does not dirty again what was cleaned meanwhile",
    fixed_by="never broken: guarded in every release, by bio_check_pages_dirty() and its worker",
    versions="none",
    operations="dio-read-verify@1, writeback",
    state="dirty rw",
    objective="I4",
)


@kernel
def bio_check_pages_dirty() -> None:
    """block/bio.c bio_check_pages_dirty(), without its look at the dirty bit."""
    spin_until(READ_ONCE(dma_state) == DONE)
    bio_release_page(cast(Page, READ_ONCE(dma_page)))
    WRITE_ONCE(dma_state, RELEASED)
