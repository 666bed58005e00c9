"""How a walker reads a kernel: structures by name, arrays, lists, pages, functions.

What is read may have been freed meanwhile and be anything, so every count has a bound, and what
cannot be read is a race.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.machine.namespaces import first_pid_namespace, monotonic_offset_ns
from pinlab.field.memory.bounded import BoundedReader
from pinlab.field.memory.lists import entries
from pinlab.field.memory.reader import OWN, Reader
from pinlab.field.memory.view import Structs, View

T = TypeVar("T")
Claimed = TypeVar("Claimed")


class Access:
    """Reads of a kernel that is being walked. Not shared between threads; made for one walk."""

    def __init__(self, reader: Reader) -> None:
        self.reader = BoundedReader(reader)
        self.structs = Structs(self.reader)
        self.races = 0
        """How often something was gone when we came to it: results may be incomplete."""
        self._page_size = self.structs.size("page")
        self._walking = False

    @property
    def own(self) -> bool:
        """Whether it is the kernel we run on, so that /proc shows its processes by its numbers."""
        return self.reader.name in OWN and first_pid_namespace()

    # -- structures ---------------------------------------------------------------------------

    def at(self, type_name: str, address: int) -> View:
        """The structure at an address."""
        return self.structs.at(type_name, address)

    def has(self, type_name: str, path: str = "") -> bool:
        """Whether this kernel has a type, and a field in it."""
        return self.structs.has(type_name, path)

    def pointers(self, address: int, count: int, most: int) -> NDArray[np.uint64]:
        """An array of pointers; `most`: how many the kernel ever has there. Raises FaultError."""
        self._credible(address, count, most)
        if not count:
            return np.zeros(0, np.uint64)
        return np.frombuffer(self.reader.read(address, 8 * count), np.uint64)

    def rows(self, address: int, type_name: str, count: int, most: int) -> NDArray[np.uint8]:
        """An array of structures as bytes: shape (count, size); `most`: how many the kernel ever
        has there. Raises FaultError."""
        self._credible(address, count, most)
        size = self.structs.size(type_name)
        data = self.reader.read(address, size * count) if count else b""
        return np.frombuffer(data, np.uint8).reshape(count, size)

    def many(
        self, addresses: NDArray[np.uint64], type_name: str
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The structures at some addresses as bytes, as `rows` has them, and which could be read:
        the others have no row and are races. Raises FaultError, if only for the budget."""
        rows, readable = self.reader.read_many(addresses, self.structs.size(type_name))
        self.races += int((~readable).sum())
        return rows[readable], readable

    def pointers_at(self, addresses: Iterable[int], type_name: str, path: str) -> list[int]:
        """One pointer of many structures, read at once; 0 of those that are gone, which are
        races."""
        place = self.structs.place(type_name, path)
        at = np.fromiter((address + place.byte for address in addresses), np.uint64)
        try:
            rows, readable = self.reader.read_many(at, 8)
        except FaultError:  # beyond the budget
            self.races += 1
            return [0] * len(at)
        self.races += int((~readable).sum())
        found: list[int] = np.where(readable, rows.view(np.uint64).ravel(), 0).tolist()
        return found

    def _credible(self, address: int, count: int, most: int) -> None:
        """A count beyond what the kernel allows was read from something else: a race."""
        if not 0 <= count <= most:
            raise FaultError(address, count)

    def same(self, view: View, *paths: str) -> None:
        """Read fields again that must not have changed meanwhile. Raises FaultError if one has."""
        again = self.at(view.type, view.address)
        if any(again[path] != view[path] for path in paths):
            raise FaultError(view.address, self.structs.size(view.type))

    def column(self, rows: NDArray[np.uint8], type_name: str, path: str) -> NDArray[np.uint64]:
        """One field of such an array, a whole number of at most 8 bytes."""
        place = self.structs.place(type_name, path)
        if place.mask or place.size > 8:
            raise LayoutError(f"{path} of struct {type_name} is not a number in this kernel")
        wide = np.zeros((len(rows), 8), np.uint8)
        wide[:, : place.size] = rows[:, place.byte : place.byte + place.size]
        return wide.view(np.uint64).reshape(len(rows))

    def entries(self, head: int, type_name: str, path: str) -> Iterator[View]:
        """list_for_each_entry over a list_head. Raises FaultError, also on a list without end."""
        return entries(self.structs, head, type_name, path)

    def text(self, address: int, most: int = 64) -> str:
        """A string. Raises FaultError."""
        return self.structs.text(address, most)

    # -- pages --------------------------------------------------------------------------------

    def pfn(self, page: int) -> int:
        """The frame of a `struct page *`. Raises FaultError if it is none."""
        found = page - self.reader.vmemmap
        if found < 0 or found % self._page_size or found >> 52:
            raise FaultError(page, self._page_size)
        return found // self._page_size

    def pfns(self, pages: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The frames of some `struct page *`. Raises FaultError if any is none."""
        first = np.uint64(self.reader.vmemmap)
        found = pages - first
        size = np.uint64(self._page_size)
        odd = (pages < first) | (found % size != 0) | (found >> np.uint64(52) != 0)
        if odd.any():
            raise FaultError(int(pages[0]), self._page_size)
        return found // size

    # -- walking ------------------------------------------------------------------------------

    def each(
        self, things: Iterable[T], walk: Callable[[T], Iterable[Claimed]]
    ) -> Iterator[Claimed]:
        """What `walk` finds at each of `things`; what is gone when it is read is a race."""
        outermost = not self._walking
        for thing in self.as_far(things):
            if outermost:
                self.reader.begin()
            self._walking = True
            try:
                found = list(walk(thing))
            except FaultError:
                self.races += 1
                found = []
            finally:
                self._walking = not outermost
            yield from found

    def as_far(self, things: Iterable[T]) -> Iterator[T]:
        """`things`, up to where they cannot be read any further."""
        try:
            yield from things
        except FaultError:
            self.races += 1

    def symbol(self, *names: str) -> int | None:
        """The address of the first of these functions that this kernel has."""
        for name in names:
            address = self.reader.symbol(name)
            if address is not None:
                return address
        return None

    def is_function(self, address: int, *names: str) -> bool:
        """Whether an address is one of these functions."""
        return bool(address) and any(address == self.reader.symbol(name) for name in names)

    def age(self, monotonic: int) -> float | None:
        """Seconds since a moment in nanoseconds of CLOCK_MONOTONIC; None if not known."""
        if self.reader.name not in OWN or not monotonic:
            return None
        return max(time.monotonic_ns() - monotonic_offset_ns() - monotonic, 0) / 1e9
