"""I16: at rest the books balance.

A sanity objective. Somewhere in the middle of an operation a count is ahead of the page tables, or
a page is dirty and not yet on the disk; when everybody has finished, it must have been made good.
A lost reference, a page that is dirty and not known to be, a lock that nobody gave back: whatever
goes wrong leaves something of it behind, also where no other objective looks.
"""

from __future__ import annotations

from pinlab.objectives.balance import Balance

OBJECTIVE = Balance(
    name="I16",
    claim="when all is done, counts match page tables and cache, and no store is lost",
    source="the rules of struct page: include/linux/mm_types.h, mm.h, page-flags.h, 4.20",
)
