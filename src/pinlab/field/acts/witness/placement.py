"""Where in the image the pages of a file lie: asked of the file system, not searched for.

FS_IOC_FIEMAP gives the place on the device (Documentation/filesystems/fiemap.rst). btrfs gives an
address in its logical space there; its chunk tree, which BTRFS_IOC_TREE_SEARCH reads, says where
on the device that is (uapi/linux/btrfs_tree.h). Refused: searching the image for the bytes, which
finds those of another time as well.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.machine.pagemap import PAGE

# linux/fiemap.h
FS_IOC_FIEMAP: Final = 0xC020660B
_HEAD = struct.Struct("<QQIIII")
_EXTENT = struct.Struct("<QQQ16xI12x")
FIEMAP_EXTENT_UNKNOWN: Final = 0x2
FIEMAP_EXTENT_DELALLOC: Final = 0x4
FIEMAP_EXTENT_ENCODED: Final = 0x8
FIEMAP_EXTENT_DATA_INLINE: Final = 0x200
FIEMAP_EXTENT_UNWRITTEN: Final = 0x800
_NOWHERE: Final = (
    FIEMAP_EXTENT_UNKNOWN
    | FIEMAP_EXTENT_DELALLOC
    | FIEMAP_EXTENT_ENCODED
    | FIEMAP_EXTENT_DATA_INLINE
    | FIEMAP_EXTENT_UNWRITTEN
)

# linux/btrfs.h, linux/btrfs_tree.h
BTRFS_IOC_TREE_SEARCH: Final = 0xD0009411
_SEARCH: Final = 4096
_KEY = struct.Struct("<7Q4I32x")
_ITEM = struct.Struct("<QQQII")
_CHUNK_LENGTH = struct.Struct("<Q")
_STRIPE = struct.Struct("<56xQ")  # the offset of the first stripe of struct btrfs_chunk
CHUNK_TREE: Final = 3
FIRST_CHUNK_TREE: Final = 256
CHUNK_ITEM: Final = 228
_ALL: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Range:
    """`length` bytes from `start` lie from `at` on."""

    start: int
    length: int
    at: int

    def __contains__(self, byte: int) -> bool:
        return self.start <= byte < self.start + self.length


def places(kind: FileSystem, fd: int, pages: int) -> tuple[int | None, ...]:
    """The byte of the device at which each page of a file begins; None: nowhere as yet.

    Only what was written counts: a block that is allocated and not written has no bytes.
    Raises OSError.
    """
    found = list(_extents(fd, pages))
    if kind is FileSystem.btrfs:
        chunks = list(_chunks(fd))
        return tuple(_at(chunks, _at(found, page * PAGE)) for page in range(pages))
    return tuple(_at(found, page * PAGE) for page in range(pages))


def _at(ranges: list[_Range], byte: int | None) -> int | None:
    if byte is None:
        return None
    return next((each.at + byte - each.start for each in ranges if byte in each), None)


def _extents(fd: int, pages: int) -> Iterator[_Range]:
    """The file's extents; at most one for each page. Nothing is flushed for it."""
    asked = bytearray(_HEAD.size + pages * _EXTENT.size)
    _HEAD.pack_into(asked, 0, 0, pages * PAGE, 0, 0, pages, 0)
    fcntl.ioctl(fd, FS_IOC_FIEMAP, asked)
    count = _HEAD.unpack_from(asked)[3]
    for number in range(count):
        start, at, length, flags = _EXTENT.unpack_from(asked, _HEAD.size + number * _EXTENT.size)
        if not flags & _NOWHERE:
            yield _Range(start, length, at)


def _chunks(fd: int) -> Iterator[_Range]:
    """The chunks of a btrfs of one device: where its logical addresses lie (the first copy)."""
    asked = bytearray(_SEARCH)
    everything = (FIRST_CHUNK_TREE, FIRST_CHUNK_TREE, 0, _ALL, 0, _ALL)
    most = _SEARCH // _ITEM.size
    _KEY.pack_into(asked, 0, CHUNK_TREE, *everything, CHUNK_ITEM, CHUNK_ITEM, most, 0)
    fcntl.ioctl(fd, BTRFS_IOC_TREE_SEARCH, asked)
    count = _KEY.unpack_from(asked)[9]
    at = _KEY.size
    for _ in range(count):
        _, _, logical, kind, length = _ITEM.unpack_from(asked, at)
        at += _ITEM.size
        if kind == CHUNK_ITEM:
            (size,) = _CHUNK_LENGTH.unpack_from(asked, at)
            (physical,) = _STRIPE.unpack_from(asked, at)
            yield _Range(logical, size, physical)
        at += length
