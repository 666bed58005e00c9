"""vmsplice into a pipe that nobody reads: plain references, which the pin counters do not know."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pinlab.field.acts.pinning.kind import Held, Kind, held
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.errors import FieldError
from pinlab.field.holders.extents import Extents
from pinlab.field.machine import syscalls as sys
from pinlab.field.machine.pagemap import PAGE


@contextmanager
def make(pages: Buffer) -> Iterator[Held]:
    """Put `pages` into a pipe of their own, one slot per page."""
    reader, writer = os.pipe()
    try:
        slots = 1 << max(pages.length // PAGE - 1, 0).bit_length()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, slots * PAGE)
        os.set_blocking(writer, False)
        done = 0
        while done < pages.length:  # one call takes at most 16 pages (iter_to_pipe)
            went = sys.vmsplice(writer, pages.address + done, pages.length - done)
            if not went:
                raise FieldError("the kernel put no page into the pipe")
            done += went
        extents = Extents.of_pages(pages.frames())
        yield held(KIND.name, pages, extents, fd=writer, references=True)
    finally:
        os.close(reader)
        os.close(writer)


KIND = Kind(
    "vmsplice",
    "pages in a pipe (plain references, no pins)",
    (Memory.anon, Memory.memfd, Memory.file, Memory.dax),
    most=1 << 20,
    most_count=16,
    make=make,
)
