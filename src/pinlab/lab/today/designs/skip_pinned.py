"""skip-pinned: writeback leaves a pinned folio dirty and goes on, in fsync too.

Asks once the folio is write-protected. ext4's mpage_submit_folio() has to look at what
folio_clear_dirty_for_io() says, which it does not in 7.2; the buffers stay dirty as the folio does.

Known holes: fsync returns without having written the folio, whoever stored into it. What a CPU
stored beside somebody's pin is not on the disk when its fsync says that it is (I4). A pin that
stays, stays dirty.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, u3
from pinlab.lab.layout import TORN
from pinlab.lab.today.designs._asking import clear_dirty_unless_pinned
from pinlab.lab.today.linux.ext4 import ext4_bio_write_folio
from pinlab.lab.today.linux.types import Folio


@kernel
def folio_clear_dirty_for_io(folio: Folio) -> bool:
    """mm/page-writeback.c folio_clear_dirty_for_io(), and the question. False: it stays dirty."""
    return clear_dirty_unless_pinned(folio)


@kernel
def mpage_submit_folio(folio: Folio) -> u3:
    """fs/ext4/inode.c mpage_submit_folio(): nothing is sent of a folio that stays dirty."""
    if not folio_clear_dirty_for_io(folio):
        return TORN
    return ext4_bio_write_folio(folio)
