"""bounce-pinned: writeback sends a copy of a pinned folio, which stays dirty, buffers and all.

Asks once the folio is write-protected. The copy takes the way that fscrypt's bounce page takes in
ext4_bio_write_folio() (io_folio). What the holder of the pin stores later is written by the first
writeback after the unpin, as the folio has never been clean.

Nothing is open with it in pairs of all there is. A folio that is dirty as long as it is pinned
keeps its buffers when the active list is scanned, and a direct write does not throw it out, though
neither asks for pins.

Known costs: the copy can be torn by a store while it is made; it does not change under the disk,
and that is what checksums ask for. Every round of background writeback writes a pinned folio
again, and a direct write to its page goes through the cache.
"""

from __future__ import annotations

from typing import Final

from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    allocate,
    kernel,
    trace,
    u2,
    u3,
)
from pinlab.lab.layout import TORN
from pinlab.lab.today.designs._asking import clear_dirty_unless_pinned
from pinlab.lab.today.linux.ext4 import ext4_bio_write_folio
from pinlab.lab.today.linux.page_writeback import folio_end_writeback, folio_start_writeback
from pinlab.lab.today.linux.types import Folio, disk, folio_page
from pinlab.objectives.events import Event

BOUNCED: Final = 4
"""An image of this and more is a copy's."""


@kernel
def folio_clear_dirty_for_io(folio: Folio) -> bool:
    """mm/page-writeback.c folio_clear_dirty_for_io(), and the question. False: it stays dirty."""
    return clear_dirty_unless_pinned(folio)


@kernel
def bounce_folio(folio: Folio) -> u3:
    """ext4_bio_write_folio() with an io_folio: a copy, and the buffers as dirty as the folio."""
    allocate()
    folio_start_writeback(folio)
    page = folio_page(folio)
    image: u3 = READ_ONCE(page.data)
    trace(Event.WRITEBACK_BOUNCE, folio)
    return BOUNCED + image


@kernel
def mpage_submit_folio(folio: Folio) -> u3:
    """fs/ext4/inode.c mpage_submit_folio(): of a folio that stays dirty a copy is sent."""
    if folio_clear_dirty_for_io(folio):
        return ext4_bio_write_folio(folio)
    return bounce_folio(folio)


@kernel
def ext4_end_bio(folio: Folio, image: u3) -> None:
    """fs/ext4/page-io.c ext4_end_bio(), ext4_finish_bio(): nobody stores into a copy."""
    page = folio_page(folio)
    data: u2 = image % BOUNCED
    if image < BOUNCED and READ_ONCE(page.data) != image:
        data = TORN
    WRITE_ONCE(disk[1], data)
    folio_end_writeback(folio)
