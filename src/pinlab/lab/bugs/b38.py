"""A direct write throws a folio out of the page cache that a device is about to store into.

A program reads by O_DIRECT into its mapping of a file. Somebody writes by O_DIRECT to the same page
of the file: that flushes and invalidates it, and asks nobody about references. The entry goes, the
buffers go, the folio is of no file any more. Then the device stores. Who lets go dirties a folio
that nobody writes, and who looks at the file finds what was there before.
"""

from pinlab.lab.bug import Bug

BUG = Bug(
    number="B38",
    title="Invalidation takes a pinned folio out of its file",
    fixed_by="none",
    versions="current",
    mended_by="ask-after-unmap",
    operations="dio-read-verify@1, dio-write",
    state="dirty rw",
    objective="I4",
)
