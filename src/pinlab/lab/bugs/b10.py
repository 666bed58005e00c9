"""A page that is swapped out under a direct read is copied by the next store.

A direct read has a plain reference to an anonymous page, as it had then. Reclaim replaces the entry
by one of the swap device and cannot free the page, which the device still has. The program reads:
the page is mapped again from the swap cache, read-only. It stores: the count is more than one, so
the page is copied, and what the device stores is in the page that nobody looks at any more.

An old rule among new ones would mean nothing, so this is the set of them: direct I/O without pins,
copy on write by the count, and swap-in that knows of no exclusive page. What pins or moves pages
relies on exclusive ones, and is left out of the search.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_read,
    kernel,
    set_bit,
    spin_unlock,
    static_branch,
    test_bit,
    trace,
    u1,
    u2,
    u4,
    u6,
)
from pinlab.lab.today.linux.gup import (
    FOLL_GET,
    FOLL_PIN,
    FOLL_WRITE,
    gup_fast_fallback,
    gup_put_folio,
)
from pinlab.lab.today.linux.memory import (
    FAULT_FLAG_WRITE,
    VM_FAULT_NOPAGE,
    wp_can_reuse_anon_folio,
    wp_page_copy,
)
from pinlab.lab.today.linux.mm import folio_get
from pinlab.lab.today.linux.swap import swap_count
from pinlab.lab.today.linux.types import Folio, Mm, Page, Vma, mk_pte, page_folio, pte_page
from pinlab.objectives.events import Event

BUG = Bug(
    number="B10",
    title="Copy on write by the count loses what a direct read stores",
    fixed_by="6c287605fd56 mm: remember exclusively mapped anonymous pages with PG_anon_exclusive",
    versions="5.9 to 5.18",
    operations="dio-read@private, reclaim, load-store@private",
    state="anon",
    objective="I5",
    without="pin, pin-read, pin-longterm, child-pin, move, migrate, collapse",
)


@kernel
def iov_iter_extract_user_pages(mm: Mm, vma: Vma) -> Page:
    """lib/iov_iter.c iov_iter_get_pages(): a plain reference. Of a page of a file it breaks what
    B01 tells, and so is a pin here."""
    flags: u4 = FOLL_WRITE | FOLL_GET
    if static_branch(vma.VM_SHARED):
        flags = FOLL_WRITE | FOLL_PIN
    return gup_fast_fallback(mm, vma, flags)


@kernel
def bio_release_page(page: Page) -> None:
    """block/bio.c bio_release_pages(), put_page()."""
    folio = page_folio(page)
    trace(Event.UNPIN, folio)
    if test_bit(folio.PG_anon):
        gup_put_folio(folio, FOLL_GET)
    else:
        gup_put_folio(folio, FOLL_PIN)


@kernel
def do_wp_page(vma: Vma, pte: u6, flags: u2) -> u1:
    """mm/memory.c do_wp_page() of 5.9: reused if nobody else has a reference, copied otherwise.
    Exclusive pages are told apart for the books alone."""
    page = pte_page(pte)
    folio = page_folio(page)
    if test_bit(folio.PG_anon) and wp_can_reuse_anon_folio(folio):
        set_bit(page.PageAnonExclusive)
        if flags & FAULT_FLAG_WRITE:
            WRITE_ONCE(vma.pte, mk_pte(page, 1))
        spin_unlock(vma.ptl)
        return VM_FAULT_NOPAGE
    folio_get(folio)
    spin_unlock(vma.ptl)
    return wp_page_copy(vma, pte, folio, flags)


@kernel
def swap_entry_exclusive(pte: u6, folio: Folio, flags: u2) -> bool:
    """mm/swapfile.c reuse_swap_page(), which do_swap_page() asks for a store only: no other entry
    and no other use of the slot."""
    if not flags & FAULT_FLAG_WRITE:
        return False
    return bool(atomic_read(folio._mapcount) + READ_ONCE(swap_count) <= 0)
