"""Who uses memory that nobody pins: maps it, has the file open, or only the page cache keeps it.

Asked about a file, or about a frame, to which a pin is not the answer: a huge page that is in use,
a file that cannot be unmounted, a page that will not go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinlab.errors import UsageError
from pinlab.field.census.counting import count
from pinlab.field.census.files import key_of
from pinlab.field.census.mappers import Mapper, Mappers
from pinlab.field.census.meant import Key, Meant, meant, pipe_at
from pinlab.field.census.reading import read
from pinlab.field.census.result import Folios, Kind
from pinlab.field.errors import FaultError
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.files import File
from pinlab.field.holders.frames import heads_of
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.target import Sort, Target
from pinlab.field.layout.page import page_layout
from pinlab.field.memory.reader import OWN, Reader


@dataclass(frozen=True, slots=True)
class Uses:
    """What keeps a file or a frame busy besides pins."""

    cached: int | None
    """Pages of the file in the page cache; None of memory that is no file's."""
    mapped_by: tuple[Mapper, ...]
    """Processes, each with where it maps the frame, or the first part of the file."""
    open_by: tuple[Owner, ...]
    resident: dict[str, int] | None = None
    """Of a process: bytes in memory that are its own, of files, and shared."""


def uses(reader: Reader, target: Target) -> Uses | None:
    """Who uses a file, a process's memory or a frame; None of all, and if it cannot be told."""
    if reader.name not in OWN:
        return None
    try:
        match target.sort:
            case Sort.frame:
                return _of_frame(Kernel(reader), target.number)
            case Sort.process:
                return Uses(None, (), (), _resident(target.number))
            case Sort.file if target.path is not None:
                if (pipe := pipe_at(target.path)) is not None:
                    return Uses(None, (), _open(Kernel(reader), pipe))
                return _of_path(Kernel(reader), meant(target.path))
    except (FaultError, UsageError, OSError):
        pass
    return None


def _resident(pid: int) -> dict[str, int]:
    """What /proc/PID/status says is in memory, in bytes. Raises OSError."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = {"anonymous": "RssAnon", "of files": "RssFile", "shared": "RssShmem"}
    found = ((words, lines.get(line, "").split()) for words, line in names.items())
    return {words: 1024 * int(value[0]) for words, value in found if value}


def _of_path(kernel: Kernel, file: Meant) -> Uses | None:
    if file.frames is not None and len(file.frames):
        folio = _folio(kernel, int(file.frames[0]))
        still = len(folio) and folio.kind[0] == Kind.FILE
        return _of_file(kernel, int(folio.mapping[0])) if still else None
    if file.key is None:
        return None
    mapping = _opened(kernel, file.key)
    if mapping:
        return _of_file(kernel, mapping)
    # Where its frames were not looked at (FUSE, NFS) they may be cached.
    return None if file.frames is None else Uses(0, (), ())


def _opened(kernel: Kernel, key: Key) -> int:
    """The address_space of a file that somebody has open; 0 if nobody has."""
    return next((file.mapping for file in _files(kernel, key) if file.mapping), 0)


def _open(kernel: Kernel, key: Key) -> tuple[Owner, ...]:
    """Who has a file open."""
    return tuple(sorted({owner for file in _files(kernel, key) for owner in file.owners}))


def _files(kernel: Kernel, key: Key) -> Iterator[File]:
    """Whatever is open of an inode."""
    for file in kernel.files.all:
        if file.inode:
            try:
                if key_of(kernel.at("inode", file.inode)) == key:
                    yield file
            except FaultError:
                kernel.races += 1


def _of_frame(kernel: Kernel, pfn: int) -> Uses | None:
    folio = _folio(kernel, pfn)
    if not len(folio):
        return None
    (mapping,), (index,) = folio.mapping.tolist(), folio.index.tolist()
    if folio.kind[0] == Kind.FILE:
        return _of_file(kernel, mapping)
    if folio.kind[0] == Kind.ANON and folio.mapcount[0] > 0:
        mapper = Mappers(kernel.structs).mapper(mapping, index)
        return Uses(None, () if mapper is None else (mapper,), ())
    return Uses(None, (), ()) if folio.kind[0] == Kind.ANON else None


def _folio(kernel: Kernel, pfn: int) -> Folios:
    """The folio that has a frame, as it is now; none if it is none of a user or a file."""
    layout = page_layout(kernel.reader.btf)
    head = heads_of(kernel, np.array([pfn], np.uint64))
    for large in (True, False):
        counted = count(read(kernel.reader, layout, head, large), layout, ())
        if counted.valid.all():
            return counted.folios
    return Folios.empty()


def _of_file(kernel: Kernel, mapping: int) -> Uses:
    space = kernel.at("address_space", mapping)
    mapped = Mappers(kernel.structs).of_file(space["i_mmap.rb_root.rb_node"])
    opened = {
        owner for file in kernel.files.all if file.mapping == mapping for owner in file.owners
    }
    return Uses(space["nrpages"], mapped, tuple(sorted(opened)))
