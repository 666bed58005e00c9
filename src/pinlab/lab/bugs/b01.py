"""Reclaim takes the buffers of a folio that is pinned.

A direct read has pinned a page of a file. The flusher cleans it, which leaves the buffers. Reclaim
unmaps the folio and takes its buffers away; that the count is too high is seen afterwards only, and
the folio stays in the page cache without them. The device stores, and who lets go dirties a folio
that its file system has no buffers for: ext4 crashed then, later it warned and lost the data.
"""

from pinlab.lab.bug import Bug
from pinlab.lab.language.kernel import kernel
from pinlab.lab.today.linux.types import Folio

BUG = Bug(
    number="B01",
    title="Reclaim takes the buffers of a pinned folio",
    fixed_by="d824ec2a1546 mm: do not reclaim private data from pinned page",
    versions="up to 6.4",
    operations="dio-read@1, flush-reclaim",
    state="dirty rw",
    objective="I3",
)


@kernel
def reclaim_keeps(folio: Folio) -> bool:
    """mm/vmscan.c shrink_folio_list(), which does not ask for pins."""
    return False
