"""Who is the only one to map a page may store into it, whoever else has a reference.

Parent and child share a page after fork. The child splices it into a pipe, which takes a plain
reference, and unmaps it. The parent stores: its is the only entry, so the page is not copied. The
child reads from its pipe what the parent has stored.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import atomic_read, kernel, mutex_trylock, mutex_unlock
from pinlab.lab.today.linux.types import Folio

BUG = Bug(
    number="B08",
    title="Copy on write by mapcount shows a child what its parent stores",
    fixed_by="17839856fd58 gup: document and work around COW can break either way issue",
    versions="up to 5.7",
    cve="CVE-2020-29374",
    operations="vmsplice@child, store@private",
    state="anon+forked",
    objective="I6",
)


@kernel
def wp_can_reuse_anon_folio(folio: Folio) -> bool:
    """mm/memory.c, mm/swapfile.c reuse_swap_page() of 5.7: the page is mapped once."""
    if not mutex_trylock(folio.PG_locked):
        return False
    alone = atomic_read(folio._mapcount) == 0
    mutex_unlock(folio.PG_locked)
    return bool(alone)
