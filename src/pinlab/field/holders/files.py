"""Open files, once each; which kind a file is, and who has it.

A kind of file is told by the function that releases it. A file is kept by descriptors, by a
ring's table of registered files, or by a message that nobody has read (SCM_RIGHTS), each of
which may be the only one. One that only a mapping keeps is not found, but if it is a ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.holders import rings, sockets
from pinlab.field.holders.access import Access
from pinlab.field.holders.claim import Owner
from pinlab.field.holders.processes import Processes
from pinlab.field.holders.rings import Ring

PIECE: Final = 1 << 14
"""Files that are read at once."""
REGISTERED: Final = "a ring's file table"
IN_FLIGHT: Final = "a message in flight"


@dataclass(frozen=True, slots=True)
class File:
    """An open file, once, with everybody who has it."""

    address: int
    operations: int
    private: int
    inode: int
    mapping: int
    owners: tuple[Owner, ...]


class Files:
    """The open files of a kernel that is being walked."""

    def __init__(self, kernel: Access, processes: Processes) -> None:
        self._kernel = kernel
        self._processes = processes
        self._releases: dict[int, int] = {}

    @property
    def all(self) -> tuple[File, ...]:
        """Every open file."""
        return self._found[0]

    @property
    def rings(self) -> tuple[Ring, ...]:
        """Every ring of io_uring. Raises LayoutError as `released_by`."""
        self.released_by("io_uring_release")
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[tuple[File, ...], tuple[Ring, ...]]:
        """What descriptors keep, then what is kept by what was found so, until there is no more."""
        files: dict[int, File] = {}
        contexts: dict[int, Ring] = {}
        fresh: Mapping[int, Iterable[Owner]] = self._processes.descriptors
        undescribed = rings.used(self._kernel, self._processes)
        while fresh or undescribed.keys() - contexts.keys():
            read = list(self._read(fresh))
            files |= {file.address: file for file in read}
            of_rings = undescribed | self._private(read, "io_uring_release")
            new = {
                context: Ring(self._kernel.at("io_ring_ctx", context), owners)
                for context, owners in of_rings.items()
                if context not in contexts
            }
            contexts |= new
            fresh = _joined(self._kept(read, new.values()), files)
        return tuple(files.values()), tuple(contexts.values())

    def _read(self, owners: Mapping[int, Iterable[Owner]]) -> Iterator[File]:
        addresses = np.array(sorted(owners), np.uint64)
        for piece in np.array_split(addresses, len(addresses) // PIECE + 1):
            self._kernel.reader.begin()
            try:
                rows, readable = self._kernel.many(piece, "file")
            except FaultError:
                self._kernel.races += 1
                continue
            columns = (
                self._kernel.column(rows, "file", path).tolist()
                for path in ("f_op", "private_data", "f_inode", "f_mapping")
            )
            operations, private, inode, mapping = columns
            at = piece[readable].tolist()
            for each in zip(at, operations, private, inode, mapping, strict=True):
                yield File(*each, tuple(sorted(owners[each[0]])))

    def _kept(self, files: Iterable[File], contexts: Iterable[Ring]) -> Iterator[tuple[int, Owner]]:
        """The files that these keep, each with everybody who so has it."""
        kernel = self._kernel

        def of_ring(ring: Ring) -> Iterator[tuple[int, Owner]]:
            for file in rings.registered(kernel, ring):
                for owner in ring.owners:
                    yield file, replace(owner, fd=None, by=REGISTERED)

        def of_socket(socket: sockets.Socket) -> Iterator[tuple[int, Owner]]:
            for file in sockets.in_flight(kernel, socket):
                for owner in socket.owners:
                    yield file, replace(owner, fd=None, by=IN_FLIGHT)

        yield from kernel.each(contexts, of_ring)
        if kernel.has("unix_skb_parms"):
            found = sockets.sockets(kernel, self._private(files, "sock_close"))
            yield from kernel.each(found, of_socket)

    def _private(self, files: Iterable[File], *names: str) -> dict[int, tuple[Owner, ...]]:
        """`private_data` of the files of a kind, with who has them."""
        wanted = self._functions(names)
        of_kind = (file for file in files if self._release(file.operations) in wanted)
        return {file.private: file.owners for file in of_kind}

    def _functions(self, names: Iterable[str]) -> set[int | None]:
        return {self._kernel.reader.symbol(name) for name in names} - {None}

    def released_by(self, *names: str) -> Sequence[File]:
        """The open files whose kind is released by one of these functions.

        Raises LayoutError if the kernel's list of symbols has none of them.
        """
        wanted = self._functions(names)
        if not wanted:
            raise LayoutError(f"this kernel's symbols do not name {' or '.join(names)}")
        kinds = self._by_operations.items()
        return [file for kind, files in kinds if self._release(kind) in wanted for file in files]

    @cached_property
    def _by_operations(self) -> dict[int, list[File]]:
        return _grouped(self.all, lambda file: file.operations)

    @cached_property
    def _by_mapping(self) -> dict[int, list[File]]:
        return _grouped(self.all, lambda file: file.mapping)

    @cached_property
    def _by_address(self) -> dict[int, File]:
        return {file.address: file for file in self.all}

    def _release(self, operations: int) -> int:
        if operations not in self._releases:
            view = self._kernel.at("file_operations", operations)
            try:
                self._releases[operations] = view["release"]
            except FaultError:
                self._kernel.races += 1
                self._releases[operations] = 0
        return self._releases[operations]

    def opened(self, mapping: int, processes: Iterable[Owner]) -> tuple[Owner, ...]:
        """Some processes with the descriptors by which they have one file; as they are if none."""
        pids = {owner.pid for owner in processes}
        files = self._by_mapping.get(mapping, ())
        found = {owner for file in files for owner in file.owners if owner.pid in pids}
        return tuple(sorted(found or processes))

    def owners_of(self, file: int) -> tuple[Owner, ...]:
        """Who has a `struct file *` open."""
        found = self._by_address.get(file)
        return () if found is None else found.owners


def _grouped(files: Iterable[File], key: Callable[[File], int]) -> dict[int, list[File]]:
    found: dict[int, list[File]] = {}
    for file in files:
        found.setdefault(key(file), []).append(file)
    return found


def _joined(kept: Iterable[tuple[int, Owner]], known: Mapping[int, File]) -> dict[int, set[Owner]]:
    found: dict[int, set[Owner]] = {}
    for file, owner in kept:
        if file not in known:
            found.setdefault(file, set()).add(owner)
    return found
