"""Static keys: set by a scenario, never changed by a step, read by static_branch for nothing."""

from __future__ import annotations

from pinlab.lab.language.kernel import flag

gup_fast_works = flag()
"""The design's pin runs with interrupts off; otherwise get_user_pages_fast takes the slow path."""

irq_unpin_works = flag()
"""The design's unpin runs in an interrupt; otherwise completion hands it to a worker."""

tables_go = flag()
"""The scenario frees page tables: walks look whether theirs is still there."""

dax = flag()
"""The file is on DAX: a page is a block, and there is no page cache to write back."""

two_pages = flag()
"""Both pages of the file are used; otherwise writeback looks at page 0 only."""

truncates = flag()
"""Somebody truncates in this scenario: the locks that only matter then are taken."""
