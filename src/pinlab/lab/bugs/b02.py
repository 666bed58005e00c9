"""Writeback of a folio into which a device still stores.

A direct read has pinned a page of a file, by an entry that was writable. fsync write-protects the
entry, clears the dirty bit and hands the folio to the disk. A pin is no entry, so the device goes
on: it stores while the disk reads. What arrives is neither the old content nor the new one, and its
checksum is wrong; what is stored after that nobody writes until the pin is gone. This is where the
thread of 2018 began, and it is open on every kernel.
"""

from pinlab.lab.bug import Bug

BUG = Bug(
    number="B02",
    title="Writeback of a page that a device still writes",
    fixed_by="none",
    versions="all",
    operations="dio-read@1, fsync",
    state="dirty rw",
    objective="O1",
    mended_by="bounce-pinned",
)
