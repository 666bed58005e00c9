"""skip: writeback leaves pinned pages alone, fsync too.

Source: Wilcox, 17 December 2018: pinned pages off the dirty list. Kara's answer is the known hole:
background writeback may skip, but fsync must write a pinned page, or it returns with the data of
before not on the disk (I4).
"""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel, u3
from pinlab.lab.linux.design import SKIP
from pinlab.lab.linux.types import Page

BASE = "refcount-bias"


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    """Later."""
    return SKIP
